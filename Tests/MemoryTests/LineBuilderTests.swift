import DataPlane
import Glibc
import Linux
import Routes
import Support
import Testing
import Wire

@Suite struct LineBuilderTests {
    /// The text that some appending makes.
    private func text(_ build: (inout LineBuilder) -> Void) -> String {
        var line = LineBuilder()
        build(&line)
        return String(decoding: array(line.bytes), as: UTF8.self)
    }

    private func timestamp(_ seconds: UInt64, nanoseconds: UInt64 = 0) -> String {
        text { $0.append(timestampNanoseconds: seconds * 1_000_000_000 + nanoseconds) }
    }

    @Test(
        "Timestamps are dates of the Gregorian calendar, in UTC, to the microsecond",
        arguments: [
            (0, 0, "1970-01-01T00:00:00.000000Z"), (0, 999, "1970-01-01T00:00:00.000000Z"),
            (1, 1000, "1970-01-01T00:00:01.000001Z"), (86_399, 999_999_999, "1970-01-01T23:59:59.999999Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000000Z"), (951_868_800, 0, "2000-03-01T00:00:00.000000Z"),
            (1_709_164_800, 0, "2024-02-29T00:00:00.000000Z"),
            (1_769_862_896, 789_012_345, "2026-01-31T12:34:56.789012Z"),
            (4_107_456_000, 0, "2100-02-28T00:00:00.000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000Z"),
            (4_133_980_799, 0, "2100-12-31T23:59:59.000000Z"),
            (12_622_780_800, 0, "2370-01-01T00:00:00.000000Z"),
            (13_574_563_200, 0, "2400-02-29T00:00:00.000000Z"),
        ] as [(UInt64, UInt64, String)])
    func timestamps(seconds: UInt64, nanoseconds: UInt64, expected: String) {
        #expect(timestamp(seconds, nanoseconds: nanoseconds) == expected)
    }

    @Test("Every day from 1970 to 2500 is the day that the C library says")
    func days() {
        for day in 0..<193_700 as Range<UInt64> {
            var time = time_t(day * 86_400)
            var parts = unsafe tm()
            unsafe gmtime_r(&time, &parts)
            let expected = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
            let date = LineBuilder.date(daysSince1970: day)
            guard (Int32(date.year), Int32(date.month), Int32(date.day)) == expected else {
                Issue.record("day \(day) is not \(date)")
                return
            }
        }
    }

    @Test("Numbers are decimal, with zeros in front where digits are asked for")
    func numbers() {
        #expect(text { $0.append(0 as UInt64) } == "0")
        #expect(text { $0.append(UInt64.max) } == "18446744073709551615")
        #expect(text { $0.append(10_000_000_000_000_000_000) } == "10000000000000000000")
        #expect(text { $0.append(7, digits: 3) } == "007")
        #expect(text { $0.append(1234, digits: 3) } == "1234")
        #expect(text { $0.append(microseconds: 0) } == "0.000ms")
        #expect(text { $0.append(microseconds: 12_345) } == "12.345ms")
        #expect(text { $0.append(microseconds: 1_000_007) } == "1000.007ms")
    }

    @Test(
        "IPv6 addresses are written as RFC 5952 wants it",
        arguments: [
            (0, 0, "::"), (0, 1, "::1"), (0x2001_0db8_0000_0000, 1, "2001:db8::1"),
            // Section 4.2.2: one group of zeros is not shortened.
            (0x2001_0db8_0000_0001, 0x0001_0001_0001_0001, "2001:db8:0:1:1:1:1:1"),
            // Section 4.2.3: the longest run, and of equals the first.
            (0x2001_0000_0000_0001, 0x0000_0000_0000_0001, "2001:0:0:1::1"),
            (0x2001_0db8_0000_0000, 0x0001_0000_0000_0001, "2001:db8::1:0:0:1"),
            (0x2001_0db8_0000_0000, 0, "2001:db8::"), (1 << 48, 0, "1::"),
            // Section 4.3: lower case; section 4.1: no leading zeros.
            (0x2001_0db8_00ab_0cde, 0xffff_000f_f000_0010, "2001:db8:ab:cde:ffff:f:f000:10"),
            (0x0001_0000_0000_0000, 0x0001_0001_0001_0001, "1::1:1:1:1"),
        ] as [(UInt64, UInt64, String)])
    func ipv6(high: UInt64, low: UInt64, expected: String) {
        #expect(text { $0.append(ipv6High: high, low: low) } == expected)
    }

    @Test("IPv6 addresses are written as the C library does, whatever groups are zero")
    func ipv6AgainstTheLibrary() {
        var random = SeededRandom(seed: 2)
        for _ in 0..<20_000 {
            let groups = (0..<8).map { _ in
                random.oneIn(2) ? 0 : UInt64(random.oneIn(2) ? random.below(16) : random.below(65536))
            }
            let high = groups[..<4].reduce(0) { $0 << 16 | $1 }
            let low = groups[4...].reduce(0) { $0 << 16 | $1 }
            // The library writes the last 32 bits of addresses in ::/96 and ::ffff:0:0/96 as IPv4; such
            // clients are IPv4 clients to us.
            guard high != 0 || low >> 48 != 0 else { continue }
            var address = [high.bigEndian, low.bigEndian]
            var name = [CChar](repeating: 0, count: 64)
            _ = unsafe inet_ntop(AF_INET6, &address, &name, 64)
            let expected = String(
                decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            #expect(text { $0.append(ipv6High: high, low: low) } == expected)
        }
    }

    @Test("Endpoints have their port behind them, IPv6 in brackets, and a unix socket its path")
    func endpoints() {
        #expect(text { $0.append(IPEndpoint(address: .v4(0xc000_0201), port: 443)) } == "192.0.2.1:443")
        #expect(text { $0.append(IPEndpoint(address: .v4(0), port: 0)) } == "0.0.0.0:0")
        let ipv6 = IPEndpoint(address: .v6(high: 0x2001_0db8_0000_0000, low: 1), port: 65535)
        #expect(text { $0.append(ipv6) } == "[2001:db8::1]:65535")
        let unix = SocketAddress(path: Array("/run/site/tls.sock".utf8).span.rawBytes)
        #expect(text { $0.append(unix) } == "unix:/run/site/tls.sock")
        let mapped = SocketAddress(ipv6: 0, 0xffff_c000_0201, port: 80)
        #expect(text { $0.append(mapped) } == "192.0.2.1:80", "an IPv4 client of an IPv6 listener")
    }

    @Test("No byte of a name can end a field or a line, or hide what it was")
    func escaping() {
        for byte in UInt8.min...UInt8.max {
            let written = text { $0.append(escaping: [byte].span.rawBytes) }
            let isPlain = byte > 0x20 && byte < 0x7f && byte != 0x5c && byte != 0x22
            let digits = String(byte, radix: 16)
            let expected =
                isPlain
                ? String(UnicodeScalar(byte)) : "\\x" + (digits.count == 1 ? "0" : "") + digits
            #expect(written == expected)
        }
        let hostile = Array("a\n2026-01-01T00:00:00Z access name=b\u{1b}[2J\\x20".utf8)
        let written = text { $0.append(escaping: hostile.span.rawBytes) }
        #expect(written == "a\\x0a2026-01-01T00:00:00Z\\x20access\\x20name=b\\x1b[2J\\x5cx20")
    }

    @Test("Offered protocols are joined by commas, and none is a dash")
    func protocols() {
        #expect(text { $0.append([] as ApplicationProtocols) } == "-")
        #expect(text { $0.append([.http2, .http11] as ApplicationProtocols) } == "h2,http/1.1")
        #expect(text { $0.append([.acmeTLS1] as ApplicationProtocols) } == "acme-tls/1")
        let all: ApplicationProtocols = [.http2, .http11, .http10, .http3, .acmeTLS1, .other]
        #expect(text { $0.append(all) } == "h2,http/1.1,http/1.0,h3,acme-tls/1,other")
    }

    @Test("A line is cut off at its size, and the next one starts anew")
    func cutOff() {
        var line = LineBuilder()
        for _ in 0..<5000 { line.append("x") }
        var count = line.bytes.byteCount
        #expect(count == 4096)
        line.append(UInt64.max)
        line.append([1, 2, 3].span.rawBytes)
        count = line.bytes.byteCount
        #expect(count == 4096)
        line.clear()
        line.append("y")
        #expect(array(line.bytes) == [0x79])
    }
}
