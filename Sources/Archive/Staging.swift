import Foundation
package import Linux

/// A folder beside something that is to come, in which it is made: nobody else may look into it, and it goes
/// away with all that is in it, unless what was made has got its place by then.
package struct Staging: Sendable {
    /// How each is called, before some digits.
    package static let prefix = ".yard-archive-"

    /// The folder that it is in, and that what is made in it gets into.
    let parent: String
    let path: String
    private let name: [UInt8]

    /// Makes one for something that is not there yet.
    init(for target: String) throws(ArchiveRefusal) {
        let whole = URL(fileURLWithPath: target)
        parent = whole.deletingLastPathComponent().path
        let name = Self.prefix + String(UInt64.random(in: 0...UInt64.max), radix: 36)
        self.name = Array(name.utf8)
        path = "\(parent)/\(name)"
        do throws(Errno) {
            let folder = try OpenFolder(path: parent)
            if try folder.has(Array(whole.lastPathComponent.utf8)) {
                throw Errno(number: EEXIST)
            }
            try folder.makeFolder(self.name, mode: 0o700)
        } catch {
            if error.number == EEXIST { throw ArchiveRefusal(.conflict, "\(target) is there already") }
            throw ArchiveRefusal(error, target, "made")
        }
    }

    /// Writes a file in it.
    func write(_ name: String, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(ArchiveRefusal) {
        do throws(Errno) {
            try OpenFolder(path: path).write(Array(name.utf8), bytes, mode: mode)
        } catch {
            throw ArchiveRefusal(error, "\(path)/\(name)", "written")
        }
    }

    /// Makes a folder in it.
    func makeFolder(_ name: String, mode: UInt32 = 0o700) throws(ArchiveRefusal) {
        do throws(Errno) {
            try OpenFolder(path: path).makeFolder(Array(name.utf8), mode: mode)
        } catch {
            throw ArchiveRefusal(error, "\(path)/\(name)", "made")
        }
    }

    /// Lets nobody but its owner have a file in it.
    func close(_ name: String) throws(ArchiveRefusal) {
        do throws(Errno) {
            try OpenFolder(path: path).setMode(of: Array(name.utf8), 0o600)
        } catch {
            throw ArchiveRefusal(error, "\(path)/\(name)", "closed to others")
        }
    }

    /// Gives what was made its place, when it is on the disk.
    func place(_ made: String, at target: String) throws(ArchiveRefusal) {
        do throws(Errno) {
            let folder = try OpenFolder(path: parent)
            try folder.synchronise()
            if try folder.has(Array(URL(fileURLWithPath: target).lastPathComponent.utf8)) {
                throw Errno(number: EEXIST)
            }
            try renameFile("\(path)/\(made)", to: target)
            try folder.synchroniseNames()
        } catch {
            throw ArchiveRefusal(error, target, "made")
        }
    }

    /// Removes it; nothing can be done if that fails.
    func remove() {
        guard let folder = try? OpenFolder(path: parent) else { return }
        try? folder.removeTree(name)
    }

    /// Removes what a crash has left in a folder; for when no work is done there.
    package static func removeLeftovers(in path: String) throws(Errno) {
        let folder = try OpenFolder(path: path)
        for name in try folder.names() where name.starts(with: Array(prefix.utf8)) {
            try folder.removeTree(name)
        }
    }
}

extension OpenFolder {
    /// Whether there is something of that name in it.
    func has(_ name: [UInt8]) throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try status(of: name)
            return true
        } catch {
            if error == .noEntry { return false }
            throw error
        }
    }
}
