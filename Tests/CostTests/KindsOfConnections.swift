import Support
import Testing

/// As ``CostTests``, for connections that are more than a hello and a relay.
@Suite(.serialized) struct KindsOfConnections {
    /// What is asked of a connection beyond that.
    enum Kind: CaseIterable {
        /// A PROXY protocol header comes in front of it, and another one goes on.
        case proxied
        /// Its route has `max=`, `idle=` and `drain=`.
        case underTerms
        /// It is a request over plain HTTP, and is redirected, or passed on.
        case redirected, forwarded

        fileprivate var door: WorkerBench.Door {
            switch self {
            case .proxied: .trusted
            case .underTerms: .plain
            case .redirected, .forwarded: .http
            }
        }

        fileprivate func firstBytes(_ number: Int) -> [UInt8] {
            switch self {
            case .proxied:
                Array("PROXY TCP4 192.0.2.\(number % 200) 198.51.100.1 \(1024 + number % 60000) 443\r\n".utf8)
                    + WorkerBench.hello(name: "proxied.example")
            case .underTerms: WorkerBench.hello(name: "terms.example")
            case .redirected: Array("GET /\(number) HTTP/1.1\r\nHost: exact.example\r\n\r\n".utf8)
            case .forwarded: Array("GET /\(number) HTTP/1.1\r\nHost: web.example\r\n\r\n".utf8)
            }
        }

        /// Plays the origin, and reads what the client gets.
        fileprivate func serve(_ client: StreamSocket, _ bench: WorkerBench) throws {
            guard self != .redirected else {
                try #require(try client.receiveToEnd().starts(with: Array("HTTP/1.1 308 ".utf8)))
                return
            }
            let origin = try bench.origin.accept()
            let first = try origin.receive(exactly: 16)
            try #require(
                first.starts(with: self == .proxied ? [13, 10, 13, 10, 0] : self == .forwarded ? [71] : [22]))
            while !origin.staysSilent(milliseconds: 0) { _ = try origin.receive() }
            let answer = Array("HTTP/1.1 204 No Content\r\n\r\n".utf8)
            try origin.send(answer)
            origin.close()
            try #require(try client.receiveToEnd() == answer)
        }
    }

    @Test("It costs no allocation and no reference count", arguments: Subject.all, Kind.allCases)
    func connections(_ subject: Subject, kind: Kind) throws {
        try WorkerBench.run(subject, logsAccess: true) { bench in
            func connect(_ numbers: Range<Int>) throws {
                for number in numbers {
                    let client = try bench.makeClient(kind.firstBytes(number), at: kind.door)
                    try kind.serve(client, bench)
                    client.close()
                }
                try bench.waitForEnds()
            }
            try connect(0..<64)
            let measurement = try bench.measure { try connect(64..<1064) }
            measurement.report("\(kind) connections", units: 1000, subject, logsAccess: true)
            #expect(measurement.costs == .none)
        }
    }
}
