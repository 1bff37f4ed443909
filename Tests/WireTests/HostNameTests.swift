import Support
import Testing
import Wire

@Suite struct HostNameTests {
    @Test(
        "Upper case is folded and one dot at the end is dropped",
        arguments: [
            ("example.org", "example.org"), ("EXAMPLE.Org", "example.org"), ("example.org.", "example.org"),
            ("a", "a"), ("a.", "a"), ("AZ-az_09.x", "az-az_09.x"),
        ])
    func normalised(text: String, expected: String) throws {
        #expect(try HostName.normalise(Array(text.utf8).span.rawBytes).text == expected)
    }

    @Test(
        "Names that DNS carries are taken, whatever the rule for host names says of them",
        arguments: [
            "_dmarc.example.org", "a_b.example.org", "-a.example.org", "a-.example.org",
            "r3---sn-5hne6nsk.example.org",
            "xn--bcher-kva.example", "localhost", "1.example", "123.45a", "1.2.3.4.example", "0xg", "0.x0",
            "a.0x1g", "1a",
        ])
    func liberal(text: String) throws {
        #expect(try HostName.normalise(Array(text.utf8).span.rawBytes).text == text)
    }

    /// A text that is no host name, the reason, and the byte at which a caret belongs.
    struct Refusal: Sendable, CustomStringConvertible {
        let text: String
        let reason: HostNameFault.Reason
        let byteOffset: Int

        init(_ text: String, _ reason: HostNameFault.Reason, _ byteOffset: Int) {
            self.text = text
            self.reason = reason
            self.byteOffset = byteOffset
        }

        var description: String { "\(text.debugDescription): \(reason) at \(byteOffset)" }
    }

    static let label63 = String(repeating: "a", count: 63)
    /// 253 bytes: 63 + 1 + 63 + 1 + 63 + 1 + 61.
    static let longest = [label63, label63, label63, String(repeating: "b", count: 61)].joined(separator: ".")

    @Test(
        "What is no host name is refused, and the fault says why and where",
        arguments: [
            Refusal("", .empty, 0), Refusal(".", .empty, 0), Refusal("..", .emptyLabel, 0),
            Refusal(".a", .emptyLabel, 0),
            Refusal("a..b", .emptyLabel, 2), Refusal("example.org..", .emptyLabel, 12),
            Refusal(label63 + "a.org", .labelTooLong, 63), Refusal("www." + label63 + "a", .labelTooLong, 67),
            Refusal(longest + "b", .tooLong, 253), Refusal(longest + ".b", .tooLong, 253),
            Refusal("a\0.org", .controlByte, 1), Refusal("a\n", .controlByte, 1),
            Refusal("\u{7f}a", .controlByte, 0),
            Refusal("a b", .blank, 1), Refusal("bücher.example", .nonASCIIByte, 1),
            Refusal("a/b", .invalidByte, 1),
            Refusal("*.example.org", .invalidByte, 0), Refusal("example.org:443", .invalidByte, 11),
            Refusal("a%2e", .invalidByte, 1), Refusal("[a]", .invalidByte, 0),
            Refusal("a\\b", .invalidByte, 1),
        ])
    func refused(refusal: Refusal) {
        #expect(throws: HostNameFault(refusal.reason, byteOffset: refusal.byteOffset)) {
            try HostName.normalise(Array(refusal.text.utf8).span.rawBytes)
        }
    }

    @Test(
        "What an address parser would take is not a host name",
        arguments: [
            "127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "0177.0.0.1", "0x7f000001", "0X7F.1",
            "1.2.3.0x4", "1.2.3.0x",
            "example.1", "999.999.999.999", "0", "::1", "2001:db8::1", "[::1]", "[2001:DB8::1]:443",
            "fe80::1%eth0",
            "::ffff:127.0.0.1",
        ])
    func addresses(text: String) {
        #expect(throws: HostNameFault(.ipLiteral, byteOffset: 0)) {
            try HostName.normalise(Array(text.utf8).span.rawBytes)
        }
    }

    @Test("A name of 253 bytes is taken, with the dot at the end too")
    func longestName() throws {
        #expect(Self.longest.utf8.count == HostName.bytesMax)
        let name = try HostName.normalise(Array(Self.longest.utf8).span.rawBytes)
        #expect(name.byteCount == 253)
        #expect(name == HostName.spelled(Array((Self.longest + ".").utf8)))
    }

    @Test("Every byte value is either part of a name or refused where it stands")
    func everyByte() {
        for byte in UInt8.min...UInt8.max {
            let text: [UInt8] = Array("a".utf8) + [byte] + Array("b".utf8)
            let isGood =
                byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            do throws(HostNameFault) {
                let name = try HostName.normalise(text.span.rawBytes)
                #expect(isGood, "byte \(byte) was taken")
                #expect(name.text == String(decoding: text, as: UTF8.self).lowercased())
            } catch {
                #expect(!isGood, "byte \(byte) was refused")
                #expect(error.byteOffset == 1)
            }
        }
    }

    @Test("Normalising a normalised name changes nothing")
    func idempotent() throws {
        var random = HelloRandom(seed: 7)
        let alphabet = Array("abzAZ019-_.".utf8)
        for _ in 0..<20_000 {
            let text = (0..<random.below(20)).map { _ in random.element(of: alphabet) }
            guard let name = HostName.spelled(text) else { continue }
            #expect(try HostName.normalise(name.bytes) == name)
        }
    }

    @Test("Names differ when a byte or the length differs")
    func equality() {
        #expect(HostName.spelled(Array("a.b".utf8)) == HostName.spelled(Array("A.B.".utf8)))
        #expect(HostName.spelled(Array("a.b".utf8)) != HostName.spelled(Array("a.c".utf8)))
        #expect(HostName.spelled(Array("a.b".utf8)) != HostName.spelled(Array("a.bb".utf8)))
        #expect(HostName().isEmpty)
        #expect(HostName().byteCount == 0)
    }

    @Test("Each fault has a label of its own")
    func labels() {
        let labels = HostNameFault.Reason.allCases.map { "\($0.label)" }
        #expect(Set(labels).count == labels.count)
    }
}
