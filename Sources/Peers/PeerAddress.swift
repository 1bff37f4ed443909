/// Where a peer listens: a host name or an address, and a port.
package struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    /// The port that is meant when none is said.
    package static let portDefault = 7443
    /// As DNS has it.
    private static let hostBytesMax = 253

    /// A name, or an IP address without brackets.
    package let host: String
    /// From 1 to 65535.
    package let port: Int

    /// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
    package init(_ text: String) throws(PeerError) {
        let host: Substring
        let rest: Substring
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw Self.failure(text) }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
            guard host.contains(":") else { throw Self.failure(text) }
        } else {
            host = text.prefix { $0 != ":" }
            rest = text[host.endIndex...]
        }
        var port: Int? = Self.portDefault
        if !rest.isEmpty {
            let digits = rest.dropFirst()
            let isNumber = digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            port = rest.first == ":" && isNumber ? Int(digits) : nil
        }
        guard let port, (1...65_535).contains(port), (1...Self.hostBytesMax).contains(host.utf8.count),
            host.utf8.allSatisfy(Self.isOfHost), host.first != "-"
        else { throw Self.failure(text) }
        self.host = String(host).lowercased()
        self.port = port
    }

    private static func isOfHost(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            || (UInt8(ascii: "0")...UInt8(ascii: ":")).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }

    private static func failure(_ text: String) -> PeerError {
        PeerError(
            .unclear,
            "`\(printable(text, charactersMax: 300))` is no address of a peer: it is HOST, "
                + "HOST:PORT or [IPV6]:PORT"
        )
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
