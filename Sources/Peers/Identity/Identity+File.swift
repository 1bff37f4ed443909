package import Foundation
import Linux
import SystemPackage

extension Identity {
    /// What is in the file; if there is none, a new identity, which is then in it. Of two processes that make
    /// one at once, both get the same.
    package static func loadOrMake(path: String, name: PeerName) throws(PeerError) -> Identity {
        if let identity = try load(path: path) { return identity }
        let identity = try Identity(making: name)
        let temporary = try write(identity, beside: path)
        defer { removeFile(temporary) }

        do {
            // Not by a rename: a link fails if somebody was quicker, and theirs may be in use already.
            try FileManager.default.linkItem(atPath: temporary, toPath: path)
        } catch {
            if let theirs = try load(path: path) { return theirs }
            throw failure(path, "cannot be made", error)
        }
        try keepFolder(of: path)
        return identity
    }

    /// Another certificate for the key in the file.
    package static func renew(path: String, at now: Date = Date()) throws(PeerError) -> Identity {
        guard let old = try load(path: path) else {
            throw PeerError(.unusable, "\(path): there is no such file")
        }
        let identity = try old.renewed(at: now)
        let temporary = try write(identity, beside: path)
        do {
            try renameFile(temporary, to: path)
        } catch {
            removeFile(temporary)
            throw failure(path, "cannot be replaced", error)
        }
        try keepFolder(of: path)
        return identity
    }

    /// What is in the file; nil: there is none. One that others may read is refused, as ssh does: whoever
    /// has read the key is us.
    private static func load(path: String) throws(PeerError) -> Identity? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let text: String
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0o777
            guard mode & 0o077 == 0 else {
                throw PeerError(
                    .unusable,
                    "\(path): others may read our key: chmod 600 it, and if they may have done so, remove it "
                        + "and invite your peers anew")
            }
            text = String(decoding: try readFile(path, bytesMax: 1 << 16), as: UTF8.self)
        } catch let error as PeerError {
            throw error
        } catch {
            throw failure(path, "cannot be read", error)
        }
        do throws(PeerError) {
            return try Identity(pem: text)
        } catch {
            throw PeerError(.unusable, "\(path): \(error.text)")
        }
    }

    /// A file that only we may read, from its first byte on, and on the disk when this returns.
    private static func write(_ identity: Identity, beside path: String) throws(PeerError) -> String {
        let temporary = path + ".new-" + String(UInt64.random(in: .min ... .max), radix: 36)
        let bytes = Array(try identity.pem.utf8)
        do {
            let file = try FileDescriptor.open(
                FilePath(temporary), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: .ownerReadWrite)
            try file.closeAfter {
                _ = try file.writeAll(bytes)
                try FileHandle(fileDescriptor: file.rawValue, closeOnDealloc: false).synchronize()
            }
            return temporary
        } catch {
            removeFile(temporary)
            throw failure(path, "cannot be made", error)
        }
    }

    /// The name of a new file is on the disk only when its folder is.
    private static func keepFolder(of path: String) throws(PeerError) {
        do {
            let folder = try FileDescriptor.open(
                FilePath(path).removingLastComponent(), .readOnly, options: [.directory, .closeOnExec])
            try folder.closeAfter {
                try FileHandle(fileDescriptor: folder.rawValue, closeOnDealloc: false).synchronize()
            }
        } catch {
            throw failure(path, "is not safely on the disk", error)
        }
    }

    private static func failure(_ path: String, _ what: String, _ error: any Error) -> PeerError {
        let reason =
            error is Linux.Errno || error is SystemPackage.Errno ? "\(error)" : error.localizedDescription
        return PeerError(.unusable, "\(path) \(what): \(reason)")
    }
}
