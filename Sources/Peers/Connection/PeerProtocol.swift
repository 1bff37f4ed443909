package import Foundation
import YardKit

/// What is said on a connection. One connection is one request:
///
///     server  greeting                 who it is and what time it has, or why it says no
///     client  request                  method and content
///     server  answer                   content, and whether a stream follows; or why it says no
///     both    chunks (StreamChunk)     if a stream follows, both ways, each until its end
///
/// Greeting, request and answer are one line of JSON each. The greeting comes first so that a client whose
/// certificate is refused, which in TLS 1.3 shows only after the client's end of the handshake, has sent
/// nothing and reads the reason.
enum PeerProtocol {
    /// Named in the handshake (ALPN): a version that is not spoken ends there.
    static let peer = "switchyard-peer/1"
    /// The same for somebody who comes with an invitation, and may do nothing else.
    static let join = "switchyard-join/1"

    /// Clocks that differ by more are worth a word.
    static let clockDifferenceMax: TimeInterval = 300
}

/// The first line of a server.
package struct PeerGreeting: Equatable, Sendable {
    /// What it calls itself.
    package let name: PeerName
    /// By how much its clock is ahead of ours, in seconds.
    package let clockDifference: TimeInterval

    /// For a person, if the clocks differ by more than a few minutes.
    package var clockWarning: String? {
        guard abs(clockDifference) > PeerProtocol.clockDifferenceMax else { return nil }
        let minutes = Int((abs(clockDifference) / 60).rounded())
        let span =
            minutes < 120
            ? "\(minutes) minutes" : minutes < 2880 ? "\(minutes / 60) hours" : "\(minutes / 1440) days"
        return "their clock is \(span) \(clockDifference > 0 ? "ahead of" : "behind") ours"
    }

    static func line(name: PeerName, at now: Date) -> JSONValue {
        .object([
            "ok": .bool(true), "name": .string(name.text),
            "time": .integer(Int(now.timeIntervalSince1970)),
        ])
    }

    init(_ value: JSONValue, at now: Date) throws(PeerError) {
        guard let name = value["name"].text, let time = value["time"].double, time.isFinite else {
            throw PeerError(.unclear, "a greeting without name and time")
        }
        self.name = try PeerName(name)
        clockDifference = time - now.timeIntervalSince1970
    }
}

/// Why a server says no. What the kinds mean to a client, see ``PeerError/Kind``.
struct ProtocolRefusal {
    let kind: PeerError.Kind
    let text: String

    /// What a client may believe of what it is told; anything else is a plain no.
    private static let told: Set<PeerError.Kind> = [
        .busy, .expired, .tooLong, .unclear, .refused, .invitation, .conflict, .ourCertificate,
    ]

    init(_ kind: PeerError.Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    init(_ error: PeerError) { self.init(error.kind, error.text) }

    init?(_ value: JSONValue) {
        guard value["ok"].flag == false else { return nil }
        let kind = PeerError.Kind(rawValue: value["kind"].text ?? "") ?? .refused
        self.kind = Self.told.contains(kind) ? kind : .refused
        text = printable(value["error"].text ?? "no reason given")
    }

    var line: JSONValue {
        .object(["ok": .bool(false), "kind": .string(kind.rawValue), "error": .string(text)])
    }
}

/// What a client asks.
struct ProtocolRequest {
    let method: String
    let content: JSONValue

    init(method: String, content: JSONValue) {
        self.method = method
        self.content = content
    }

    init?(_ line: [UInt8]) {
        guard let value = try? JSONReader.read(line), let method = value["method"].text else { return nil }
        self.init(method: method, content: value["content"])
    }

    var line: JSONValue { .object(["method": .string(method), "content": content]) }
}

/// What a server answers.
struct ProtocolAnswer {
    let content: JSONValue
    /// Whether chunks follow.
    let isStream: Bool

    init(content: JSONValue, isStream: Bool) {
        self.content = content
        self.isStream = isStream
    }

    init?(_ value: JSONValue) {
        guard value["ok"].flag == true else { return nil }
        self.init(content: value["content"], isStream: value["stream"].flag ?? false)
    }

    var line: JSONValue { .object(["ok": .bool(true), "stream": .bool(isStream), "content": content]) }
}
