import DataPlane
import Linux
import Routes
import Support

/// A client as a scenario plans it, and what became of it.
final class Client {
    /// What its first bytes are.
    enum Hello: Equatable {
        /// A good one, as it stands in the routes: lower case, no dot at the end.
        case proper(name: String)
        case nameless
        case malformed, tooLarge, sslv2, plainHTTP, garbage
        /// A good one that stops in the middle; nothing at all.
        case partial, silent
    }

    let number: Int
    let hello: Hello
    let endpoint: IPEndpoint
    let script: PeerScript
    /// When it connects; later when the listener's queue is full.
    var openNanoseconds: UInt64
    var attemptsLeft = 40

    /// Its end of the connection, once it has one.
    var peer: Peer?
    /// The tables that were in use, or on their way, since it connected: all from this one on.
    var firstTable = 0
    var adoptedNanoseconds: UInt64?
    /// When its session began to end, if that took more than a turn.
    var closingNanoseconds: UInt64?
    /// Attempts at origins that failed.
    var failedConnectCount = 0
    var connectCount = 0
    var wasParked = false
    /// Its line in the access log.
    var line: AccessLine?

    init(number: Int, hello: Hello, endpoint: IPEndpoint, script: PeerScript, openNanoseconds: UInt64) {
        self.number = number
        self.hello = hello
        self.endpoint = endpoint
        self.script = script
        self.openNanoseconds = openNanoseconds
    }

    /// The name to route by; nil inside: the hello has none; nil: the hello is not one to route by.
    var name: String?? {
        switch hello {
        case .proper(let name): .some(.some(name))
        case .nameless: .some(.none)
        case .malformed, .tooLarge, .sslv2, .plainHTTP, .garbage, .partial, .silent: .none
        }
    }
}

extension Client {
    /// The first bytes of a client, all its own: no two clients send the same hello.
    static func firstBytes(_ hello: Hello, _ random: inout SimulatedRandom) -> [UInt8] {
        switch hello {
        case .proper(let name):
            var written = random.chance(perMille: 200) ? name.uppercased() : name
            if random.chance(perMille: 100) { written += "." }
            let isBrowser = random.chance(perMille: 300)
            return records(isBrowser ? .browser(name: written) : HelloBuilder(name: written), &random)
        case .nameless: return records(HelloBuilder(name: nil), &random)
        case .malformed: return malformed(&random)
        case .tooLarge:
            var builder = HelloBuilder(name: "a.example")
            builder.extensions?.append(.padding(17_000))
            return records(builder, &random)
        case .sslv2:
            return [0x80, 0x2e, 0x01, 0x00, 0x02] + (0..<41).map { _ in UInt8(random.number(in: 0...255)) }
        case .plainHTTP: return Array("GET /index.html HTTP/1.1\r\nHost: a.example\r\n\r\n".utf8)
        case .garbage: return [UInt8(ascii: "Q")] + (0..<60).map { _ in UInt8(random.number(in: 0...255)) }
        case .partial:
            let whole = records(HelloBuilder(name: "a.example"), &random)
            return Array(whole.prefix(random.number(in: 1...(whole.count - 1))))
        case .silent: return []
        }
    }

    private static func records(_ builder: HelloBuilder, _ random: inout SimulatedRandom) -> [UInt8] {
        var builder = builder
        builder.random = (0..<32).map { _ in UInt8(random.number(in: 0...255)) }
        let message = builder.message()
        guard random.chance(perMille: 400) || message.count > 16_384 else {
            return HelloBuilder.record(of: message)
        }
        let sizeMax = random.pick([1, 7, 100, 5000])
        var sizes: [Int] = []
        while sizes.reduce(0, +) < message.count, sizes.count < 300 {
            sizes.append(random.number(in: 1...sizeMax))
        }
        return HelloBuilder.records(of: message, sizes: sizes + [16_000])
    }

    private static func malformed(_ random: inout SimulatedRandom) -> [UInt8] {
        var builder = HelloBuilder(name: "a.example")
        switch random.number(in: 0...4) {
        case 0: builder[0] = HelloBuilder.Extension.serverName(Array("192.0.2.1".utf8)).body
        case 1:
            let names = [
                (type: UInt8(0), name: Array("a.example".utf8)), (type: 0, name: Array("b.example".utf8)),
            ]
            builder[0] = HelloBuilder.Extension.serverNames(names).body
        case 2: builder.extensions?.append(.serverName(Array("b.example".utf8)))
        case 3: builder[0] = HelloBuilder.Extension.serverName(Array("a\0.example".utf8)).body
        default: builder.trailingBytes = [1, 2, 3]
        }
        return records(builder, &random)
    }
}

/// A line of the access log, taken apart.
struct AccessLine {
    let client: String
    let name: String
    let up: UInt64
    let down: UInt64
    let end: String

    init?(_ text: Substring) {
        var fields: [Substring: Substring] = [:]
        for word in text.split(separator: " ") {
            guard let equals = word.firstIndex(of: "=") else { continue }
            fields[word[..<equals]] = word[word.index(after: equals)...]
        }
        guard let client = fields["client"], let name = fields["name"], let end = fields["end"],
            let up = fields["up"].flatMap({ UInt64($0) }), let down = fields["down"].flatMap({ UInt64($0) })
        else { return nil }
        (self.client, self.name, self.up, self.down, self.end) = (
            String(client), String(name), up, down, String(end)
        )
    }
}
