import Routes
import Support
import Testing

@Suite struct SourceTableTests {
    private func rules(_ lines: [(isAllowed: Bool, address: IPAddress, lengthBits: Int)]) -> SourceRules {
        var rules = SourceRules()
        for line in lines {
            rules.rules.append(
                SourceRules.Rule(
                    isAllowed: line.isAllowed,
                    prefix: AddressPrefix(address: line.address, lengthBits: line.lengthBits),
                    place: SourcePlace(line: 1, lineStart: 0, start: 0, end: 0)))
        }
        return rules
    }

    private func allows(_ address: IPAddress, _ image: [UInt8]) -> Bool {
        // SAFETY: bytes of an array of integers are integers.
        unsafe SourceTable.allows(address, in: image.span.bytes)
    }

    private func expectAgreement(_ rules: SourceRules, _ addresses: some Sequence<IPAddress>) {
        let image = SourceTable.compile(rules)
        for address in addresses
        where allows(address, image) != rules.allows(address) {
            Issue.record(
                "\(address) is not judged as by \(rules.rules.map { "\($0.isAllowed) \($0.prefix)" })")
            return
        }
    }

    /// The first and the last address of each range, and their neighbours outside of it.
    private func edges(_ rules: SourceRules) -> [IPAddress] {
        rules.rules.flatMap { rule -> [IPAddress] in
            switch rule.prefix.address {
            case .v4(let first):
                let last =
                    first
                    | (rule.prefix.lengthBits == 0 ? .max : UInt32.max >> UInt32(rule.prefix.lengthBits))
                return [first &- 1, first, last, last &+ 1].map { .v4($0) }
            case .v6(let high, let low):
                let first = UInt128(high) << 64 | UInt128(low)
                let last = first | (UInt128.max >> UInt128(rule.prefix.lengthBits))
                return [first &- 1, first, last, last &+ 1].map {
                    .v6(high: UInt64($0 >> 64), low: UInt64(truncatingIfNeeded: $0))
                }
            }
        }
    }

    @Test("Without lines everybody may connect")
    func empty() {
        expectAgreement(SourceRules(), [.v4(0), .v4(.max), .v6(high: 0, low: 0), .v6(high: .max, low: .max)])
    }

    @Test("The first line that fits decides, also where lines are nested, the same, or for all")
    func firstWins() {
        let ten: IPAddress = .v4(0x0A00_0000)
        let all: [(Bool, IPAddress, Int)] = [(false, .v4(0), 0), (false, .v6(high: 0, low: 0), 0)]
        for list in [
            [(true, ten, 16), (false, ten, 8)], [(false, ten, 8), (true, ten, 16)],
            [(true, ten, 8), (false, ten, 8)], [(false, ten, 32), (true, ten, 31), (false, ten, 30)] + all,
            all, [(true, .v4(.max), 32)] + all,
            [(true, .v4(0), 32), (true, .v6(high: .max, low: .max), 128)] + all,
            [(false, .v4(0), 1)], [(false, .v4(0x8000_0000), 1)],
            [
                (false, .v6(high: 0x2001_0DB8_0000_0000, low: 0), 33),
                (true, .v6(high: 0x2001_0DB8_0000_0000, low: 0), 32),
            ],
        ] as [[(Bool, IPAddress, Int)]] {
            let rules = rules(list.map { (isAllowed: $0.0, address: $0.1, lengthBits: $0.2) })
            expectAgreement(
                rules, edges(rules) + [.v4(0), .v4(.max), .v6(high: 0, low: 1), .v6(high: .max, low: .max)])
        }
    }

    @Test("An IPv4-mapped address is judged as IPv4, and by no line for IPv6")
    func mapped() {
        let rules = rules([(false, .v4(0x0A00_0000), 8), (true, .v4(0), 0), (false, .v6(high: 0, low: 0), 0)])
        let image = SourceTable.compile(rules)
        #expect(!allows(.v6(high: 0, low: 0xFFFF_0A01_0203), image))
        #expect(allows(.v6(high: 0, low: 0xFFFF_0B01_0203), image))
        #expect(!allows(.v6(high: 0, low: 0xFFFE_0B01_0203), image))
    }

    @Test("Random lines are judged as one after the other would be", arguments: 0..<60)
    func random(seed: Int) {
        var generator = HelloRandom(seed: UInt64(seed) + 1)
        let count = [1, 3, 20, 400][seed % 4]
        // Few distinct bits, so that ranges nest and touch.
        let mask: UInt32 = seed % 3 == 0 ? .max : 0xC1C0_0183
        var lines: [(isAllowed: Bool, address: IPAddress, lengthBits: Int)] = []
        for _ in 0..<count {
            let isAllowed = Bool.random(using: &generator)
            if Bool.random(using: &generator) {
                let bits = UInt32.random(in: 0...(.max), using: &generator) & mask
                lines.append((isAllowed, .v4(bits), Int.random(in: 0...32, using: &generator)))
            } else {
                let wide = UInt64(mask) << 32 | UInt64(mask)
                let high = UInt64.random(in: 0...(.max), using: &generator) & wide
                let low = UInt64.random(in: 0...(.max), using: &generator) & wide
                lines.append(
                    (isAllowed, .v6(high: high, low: low), Int.random(in: 0...128, using: &generator)))
            }
        }
        let rules = rules(lines)
        var addresses = edges(rules)
        for _ in 0..<500 {
            addresses.append(.v4(UInt32.random(in: 0...(.max), using: &generator) & mask))
            addresses.append(
                .v6(
                    high: UInt64.random(in: 0...(.max), using: &generator)
                        & (UInt64(mask) << 32 | UInt64(mask)),
                    low: UInt64.random(in: 0...(.max), using: &generator)))
        }
        expectAgreement(rules, addresses)
    }

    @Test("A look-up among 50,000 lines costs a small multiple of one among a single line")
    func cost() {
        var generator = HelloRandom(seed: 7)
        var figures: [(count: Int, v4: Double, v6: Double)] = []
        for count in [1, 1000, 50_000] {
            let lines = (0..<count).flatMap {
                index -> [(isAllowed: Bool, address: IPAddress, lengthBits: Int)] in
                let bits = UInt32.random(in: 0...(.max), using: &generator)
                let high = 0x2000_0000_0000_0000 | UInt64.random(in: 0...(.max), using: &generator) >> 3
                return index % 2 == 0 || count == 1
                    ? [(isAllowed: false, address: .v4(bits), lengthBits: 24)]
                    : [(isAllowed: false, address: .v6(high: high, low: 0), lengthBits: 48)]
            }
            let image = SourceTable.compile(rules(lines))
            let v4 = (0..<4096).map { _ in IPAddress.v4(UInt32.random(in: 0...(.max), using: &generator)) }
            let v6 = (0..<4096).map { _ in
                IPAddress.v6(
                    high: 0x2000_0000_0000_0000 | UInt64.random(in: 0...(.max), using: &generator) >> 3,
                    low: 1)
            }
            figures.append((count, nanoseconds(v4, image), nanoseconds(v6, image)))
        }
        for figure in figures {
            print(
                "source table of \(figure.count) lines: IPv4 \(figure.v4) ns, IPv6 \(figure.v6) ns a look-up")
        }
        // Time is no reason to fail but where a look-up walks along the lines.
        #expect(figures[2].v4 < 5000 && figures[2].v6 < 5000)
    }

    private func nanoseconds(_ addresses: [IPAddress], _ image: [UInt8]) -> Double {
        var allowed = 0
        let clock = ContinuousClock()
        let time = clock.measure {
            for _ in 0..<100 {
                for address in addresses where allows(address, image) {
                    allowed += 1
                }
            }
        }
        #expect(allowed > 0)
        let total = Double(time.components.attoseconds) / 1e9
        return (total / Double(100 * addresses.count)).rounded()
    }
}
