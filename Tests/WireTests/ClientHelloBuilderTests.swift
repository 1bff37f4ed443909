import Support
import Testing
import Wire

@Suite struct ClientHelloBuilderTests {
    private func hello(_ name: String) -> [UInt8] {
        var random = InlineArray<96, UInt8>(repeating: 0)
        for index in 0..<96 { random[index] = UInt8(truncatingIfNeeded: index &* 37 &+ 11) }
        return ClientHelloBuilder(name: Array(name.utf8), random: random).record
    }

    @Test(
        "OpenSSL and the parser read the name that the hello was built for",
        arguments: ["a.example", "xn--bcher-kva.example", String(repeating: "l", count: 63) + ".example"])
    func name(_ name: String) {
        let bytes = hello(name)
        let (outcome, parsed) = parse(bytes)
        #expect(outcome == .name)
        #expect(parsed.name.text == name)
        #expect(HelloOracle.shared.ask(bytes) == .name(Array(name.utf8)))
    }

    @Test("A hello without a name has none")
    func noName() {
        #expect(parse(hello("")).outcome == .noName)
        #expect(HelloOracle.shared.ask(hello("")) == .noName)
    }

    private static let serverHello: [UInt8] = [22, 3, 3, 0, 80, 2, 0, 0, 76]
    private static let fatal: [UInt8] = [21, 3, 3, 0, 2, 2, 40]
    private static let warning: [UInt8] = [21, 3, 1, 0, 2, 1, 112]

    @Test("An answer is told by its first bytes, and every prefix of it is either enough or too little")
    func greetings() {
        #expect(ServerGreeting(Self.serverHello) == .serverHello)
        #expect(ServerGreeting(Self.fatal) == .alert(40))
        #expect(ServerGreeting(Self.warning) == .needMore)
        #expect(ServerGreeting(Self.warning + Self.serverHello) == .serverHello)
        #expect(ServerGreeting(Self.warning + Self.fatal) == .alert(40))
        #expect(ServerGreeting([21, 3, 1, 0, 2, 1, 0]) == .alert(0), "the peer closes")
        #expect(ServerGreeting(Array("HTTP/1.1 400".utf8)) == .notTLS)
        #expect(ServerGreeting(Array("SSH-2.0".utf8)) == .notTLS)
        #expect(ServerGreeting([22, 3, 3, 0, 80, 1]) == .notTLS, "a ClientHello")
        #expect(ServerGreeting([22, 2, 3, 0, 80, 2]) == .notTLS)
        for answer in [Self.serverHello, Self.fatal, Self.warning + Self.serverHello] {
            var isTold = false
            for count in 0...answer.count {
                let greeting = ServerGreeting(Array(answer.prefix(count)))
                #expect(!isTold || greeting == ServerGreeting(answer), "once told, always told")
                #expect(greeting == .needMore || greeting == ServerGreeting(answer))
                if greeting != .needMore { isTold = true }
            }
        }
    }

    @Test("A server that sends warnings for ever is given up on")
    func warnings() {
        let flood = [[UInt8]](repeating: Self.warning, count: 20).flatMap { $0 }
        #expect(ServerGreeting(Array(flood.prefix(128))) != .needMore)
    }

    @Test("No bytes, however wrong, end the process")
    func hostile() {
        var random = HelloRandom(seed: 3)
        for _ in 0..<50_000 {
            var bytes = random.oneIn(2) ? Self.serverHello : Self.warning + Self.fatal
            for _ in 0..<random.below(4) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            _ = ServerGreeting(Array(bytes.prefix(random.below(bytes.count + 1))))
        }
    }
}
