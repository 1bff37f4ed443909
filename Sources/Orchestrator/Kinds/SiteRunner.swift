package import Runme
import Wire

/// One of the ways to run a site. All that it does can be done again: a step that was interrupted is begun
/// anew.
package protocol SiteRunner: Sendable {
    /// The address that it serves on.
    var host: String { get }
    var ports: Runme.Ports { get }
    /// The most memory that it may have, as far as that is known.
    var memoryBytes: UInt64 { get }

    /// Sees that nothing is missing that a start needs, and gets what can be got (images of an archive).
    /// Changes nothing that runs.
    func check(_ progress: Progress) async throws(Refusal)
    func condition() async throws(Refusal) -> SiteCondition
    func make(_ progress: Progress) async throws(Refusal)
    func start(_ progress: Progress) async throws(Refusal)
    func stop() async throws(Refusal)
    /// Makes the data on disk consistent; does nothing if the runme has no snapshot.
    func snapshot() async throws(Refusal)
    func clear() async throws(Refusal)
    /// Why it does not run any more, as far as can be found out, with the last of what it wrote.
    func lastWords() async -> String?
    /// The last lines that it has written; nil: of all of its parts.
    func logs(of part: String?, lines: Int) async throws(Refusal) -> [LogLine]
}

extension SiteRunner {
    /// Where its TLS port is.
    package var tlsAddress: HostPort { HostPort(host, ports.tls) }
    /// Where it serves, as a target of a route.
    package var route: SiteRoute {
        .target(
            tlsAddress.description, http: ports.http.map { HostPort(host, $0).description },
            proxy: ports.proxy)
    }
}

/// An address that can be connected to.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// An IP address.
    package var host: String
    package var port: UInt16

    package init(_ host: String, _ port: UInt16) {
        self.host = host
        self.port = port
    }

    /// `192.0.2.1:443`, `[2001:db8::1]:443`; nil: no IP address with a port.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
            port > 0
        else { return nil }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        let bytes = Array(host.utf8)
        let isAddress =
            isBracketed
            ? AddressText.ipv6(bytes.span.rawBytes) != nil : AddressText.ipv4(bytes.span.rawBytes) != nil
        guard isAddress else { return nil }
        self.init(String(host), port)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// A line that a part of a site has written.
package struct LogLine: Equatable, Sendable {
    /// A sidecar's name; `site` for what serves.
    package var part: String
    package var isError: Bool
    package var text: String
}

/// Hears what long work is at.
package struct Progress: Sendable {
    /// What is done, and how much of it is, from 0 to 1, where that is known.
    package typealias Report = @Sendable (_ text: String, _ fraction: Double?) -> Void
    private let report: Report

    package init(_ report: @escaping Report) { self.report = report }

    /// Tells it.
    package func callAsFunction(_ text: String, _ fraction: Double? = nil) { report(text, fraction) }

    /// For whom nobody waits.
    package static let none = Progress { _, _ in }
}
