import Foundation
import Routes
package import Runme

/// The folder of a site: its runme, and all its data.
package struct SiteFolder: Equatable, Sendable {
    /// The manifest's name in the folder.
    package static let manifestName = "runme"
    private static let manifestBytesMax = 1 << 20
    private static let environmentBytesMax = 1 << 20

    /// Absolute.
    package let path: String

    package init(path: String) { self.path = path }

    /// Where its runme is.
    package var manifestPath: String { "\(path)/\(Self.manifestName)" }

    /// What the runme says, and its text.
    package func manifest() throws(Refusal) -> (runme: Runme, text: String, warnings: [String]) {
        let bytes: [UInt8]
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: manifestPath))
            defer { try? handle.close() }
            bytes = Array(try handle.read(upToCount: Self.manifestBytesMax + 1) ?? Data())
        } catch {
            throw Refusal(.invalid, "\(manifestPath) cannot be read: \(error.localizedDescription)")
        }
        guard bytes.count <= Self.manifestBytesMax else {
            throw Refusal(.invalid, "\(manifestPath) is longer than a runme can be")
        }
        return try Self.parse(bytes, named: manifestPath)
    }

    /// The same for a text that was accepted before.
    static func parse(
        _ bytes: [UInt8], named name: String
    ) throws(Refusal) -> (runme: Runme, text: String, warnings: [String]) {
        do throws(InvalidSource) {
            let (runme, diagnostics) = try Runme.parse(SourceFile(path: name, bytes: bytes))
            return (runme, String(decoding: bytes, as: UTF8.self), diagnostics.kept.map(\.rendered))
        } catch {
            throw Refusal(.invalid, error.diagnostics.rendered)
        }
    }

    // MARK: Paths

    /// A path within the folder, which the runme has checked; no link on the way leads out of it.
    package func innerPath(_ relative: String) throws(Refusal) -> String {
        let whole = "\(path)/\(relative)"
        let root = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        // What is not there yet cannot lead anywhere; its parents can.
        var existing = URL(fileURLWithPath: whole)
        while !FileManager.default.fileExists(atPath: existing.path), existing.path.count > path.count {
            existing.deleteLastPathComponent()
        }
        let real = existing.resolvingSymlinksInPath().path
        guard real == root || real.hasPrefix(root + "/") else {
            throw Refusal(.invalid, "\(whole) leads out of the site's folder by a link")
        }
        return whole
    }

    /// The same for something that has to be there.
    package func existingPath(_ relative: String) throws(Refusal) -> String {
        let whole = try innerPath(relative)
        guard FileManager.default.fileExists(atPath: whole) else {
            throw Refusal(.missing, "there is no \(whole)")
        }
        return whole
    }

    /// The lines `NAME=value` of a container's env file.
    func environment(of container: Runme.Container) throws(Refusal) -> [String] {
        guard let relative = container.environmentPath else { return [] }
        let path = try existingPath(relative)
        guard let data = FileManager.default.contents(atPath: path), data.count <= Self.environmentBytesMax
        else { throw Refusal(.invalid, "\(path) cannot be read, or is longer than an env file can be") }
        var lines: [String] = []
        for (index, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            var text = String(decoding: line, as: UTF8.self)
            if text.hasSuffix("\r") { text.removeLast() }
            if text.allSatisfy(\.isWhitespace) || text.hasPrefix("#") { continue }
            guard let sign = text.firstIndex(of: "="), sign > text.startIndex,
                !text[..<sign].contains(where: \.isWhitespace), !text.contains("\0")
            else { throw Refusal(.invalid, "\(path):\(index + 1): this is not a line NAME=value") }
            lines.append(text)
        }
        return lines
    }
}
