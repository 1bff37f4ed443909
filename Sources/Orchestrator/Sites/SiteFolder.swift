import Linux
import Routes
package import Runme

/// The folder of a site: its runme, and all its data.
package struct SiteFolder: Equatable, Sendable {
    /// The manifest's name in the folder.
    package static let manifestName = "runme"
    private static let manifestBytesMax = 1 << 20
    private static let environmentBytesMax = 1 << 20
    private static let certificateBytesMax = 1 << 20

    /// Absolute.
    package let path: String

    package init(path: String) { self.path = path }

    /// Where its runme is.
    package var manifestPath: String { "\(path)/\(Self.manifestName)" }

    /// What the runme says, and its text.
    package func manifest() throws(Refusal) -> (runme: Runme, text: String, warnings: [String]) {
        try Self.parse(try manifestBytes(), named: manifestPath)
    }

    /// Whether the runme is this text; what it says is not looked at.
    func hasManifest(_ text: String) -> Bool {
        (try? manifestBytes()).map { $0.elementsEqual(text.utf8) } ?? false
    }

    private func manifestBytes() throws(Refusal) -> [UInt8] {
        try bytes(of: Self.manifestName, bytesMax: Self.manifestBytesMax, what: "a runme")
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

    // Whoever owns the folder can put anything into it at any time, and root works in it. So a symbolic link
    // is refused wherever it leads: the one that stays inside today leads elsewhere a moment later.

    /// A path within the folder, which the runme has checked, and which no link is on. It need not be there.
    package func innerPath(_ relative: String) throws(Refusal) -> String {
        let whole = "\(path)/\(relative)"
        do throws(Errno) {
            _ = try HeldPath.open(path).inner(relative)
        } catch {
            // What is not there yet cannot lead anywhere.
            if error != .noEntry { throw Self.refusal(error, whole) }
        }
        return whole
    }

    /// The same for something that has to be there.
    package func existingPath(_ relative: String) throws(Refusal) -> String {
        _ = try held(relative)
        return "\(path)/\(relative)"
    }

    /// The folder, or something in it, held open: what its owner does meanwhile changes nothing.
    func held(_ relative: String = "") throws(Refusal) -> HeldPath {
        do throws(Errno) {
            return try HeldPath.open(path).inner(relative)
        } catch {
            throw Self.refusal(error, relative.isEmpty ? path : "\(path)/\(relative)")
        }
    }

    private static func refusal(_ error: Errno, _ whole: String) -> Refusal {
        switch error {
        case .noEntry, .notFolder: Refusal(.missing, "there is no \(whole)")
        case .link: Refusal(.invalid, "\(whole) is a symbolic link, or is reached by one")
        default: Refusal(.unavailable, "\(whole) cannot be opened: \(error)")
        }
    }

    // MARK: Files

    /// A file of the folder, whole. Nothing else is opened: a FIFO in its place would be waited for.
    func bytes(of relative: String, bytesMax: Int, what: String) throws(Refusal) -> [UInt8] {
        let whole = "\(path)/\(relative)"
        do throws(Errno) {
            let file = try HeldPath.open(path).inner(relative)
            guard file.kind == .file else { throw .invalidArgument }
            return try file.read(bytesMax: bytesMax)
        } catch {
            switch error {
            case .noEntry, .notFolder:
                throw Refusal(.missing, "\(whole) cannot be read: there is no such file")
            case .invalidArgument: throw Refusal(.invalid, "\(whole) cannot be read: it is not a file")
            case .tooLarge: throw Refusal(.invalid, "\(whole) is longer than \(what) can be")
            case .link: throw Self.refusal(error, whole)
            default: throw Refusal(.invalid, "\(whole) cannot be read: \(error)")
            }
        }
    }

    /// Sees that the certificate of a runme is there, and is one. What else is wrong with it a visitor is
    /// told by the site itself.
    func checkCertificate(of runme: Runme) throws(Refusal) {
        guard let relative = runme.certificatePath else { return }
        let bytes = try bytes(of: relative, bytesMax: Self.certificateBytesMax, what: "a certificate")
        _ = try SiteCertificate(
            pem: String(decoding: bytes, as: UTF8.self), named: "\(path)/\(relative)")
    }

    /// The lines `NAME=value` of a container's env file.
    func environment(of container: Runme.Container) throws(Refusal) -> [String] {
        guard let relative = container.environmentPath else { return [] }
        let path = "\(path)/\(relative)"
        let bytes = try bytes(of: relative, bytesMax: Self.environmentBytesMax, what: "an env file")
        var lines: [String] = []
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
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
