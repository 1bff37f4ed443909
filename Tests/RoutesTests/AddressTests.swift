import Routes
import Testing

@Suite struct AddressTests {
    @Test(arguments: [
        (0 as UInt64, 0 as UInt64, "::"), (0, 1, "::1"), (0x2001_0DB8_0000_0000, 1, "2001:db8::1"),
        (0x2001_0DB8_0001_0002, 0x0003_0004_0005_0006, "2001:db8:1:2:3:4:5:6"),
        (0x0001_0000_0000_0002, 0x0000_0000_0000_0003, "1:0:0:2::3"),
        (0x0001_0000_0002_0003, 0x4_0005_0006_0007, "1:0:2:3:4:5:6:7"),
        (0x0001_0000_0000_0000, 0, "1::"), (0, 0xFFFF_0A00_0001, "::ffff:10.0.0.1"),
    ])
    func `IPv6 addresses are written as RFC 5952 wants it`(high: UInt64, low: UInt64, text: String) {
        #expect(IPAddress.v6(high: high, low: low).description == text)
    }

    @Test func `Prefixes hold what their leading bits say`() {
        let all = AddressPrefix(address: .v4(0), lengthBits: 0)
        #expect(all.contains(.v4(.max)))
        #expect(!all.contains(.v6(high: 0, low: 1)))
        #expect(all.contains(.v6(high: 0, low: 0xFFFF_0000_0001)))
        let one = AddressPrefix(address: .v4(0x0A00_0001), lengthBits: 32)
        #expect(one.contains(.v4(0x0A00_0001)))
        #expect(!one.contains(.v4(0x0A00_0002)))
        for bits in 0...128 {
            let prefix = AddressPrefix(address: .v6(high: .max, low: .max), lengthBits: bits)
            #expect(prefix.contains(.v6(high: .max, low: .max)))
            if bits > 0 {
                let flipped =
                    bits <= 64
                    ? IPAddress.v6(high: .max ^ (1 << UInt64(64 - bits)), low: .max)
                    : IPAddress.v6(high: .max, low: .max ^ (1 << UInt64(128 - bits)))
                #expect(!prefix.contains(flipped))
            }
            if bits < 128 {
                let flipped =
                    bits < 64
                    ? IPAddress.v6(high: .max ^ (1 << UInt64(63 - bits)), low: .max)
                    : IPAddress.v6(high: .max, low: .max ^ (1 << UInt64(127 - bits)))
                #expect(prefix.contains(flipped))
            }
        }
    }

    // Section 7.1 of RFC 3492, as names.
    @Test(arguments: [
        (
            "\u{4ED6}\u{4EEC}\u{4E3A}\u{4EC0}\u{4E48}\u{4E0D}\u{8BF4}\u{4E2D}\u{6587}",
            "xn--ihqwcrb4cv8a8dqg056pqjye"
        ),
        ("\u{5DE}\u{5D4}", "xn--8dbt"), ("b\u{FC}cher", "xn--bcher-kva"), ("fa\u{DF}", "xn--fa-hia"),
        (
            "почемужеонинеговорятпорусски",
            "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l"
        ),
        ("3\u{5E74}b\u{7D44}\u{91D1}\u{516B}\u{5148}\u{751F}", "xn--3b-ww4c5e180e575a65lsy2b"),
    ])
    func `Labels are encoded as RFC 3492 says`(label: String, encoded: String) throws {
        #expect(try compile("\(label).example held").image.find("\(encoded).example").kind == .exact)
    }
}
