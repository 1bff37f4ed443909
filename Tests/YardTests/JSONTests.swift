import Testing
import YardKit

@Suite struct JSONTests {
    private func read(_ text: String) -> JSONValue? { try? JSONReader.read(Array(text.utf8)) }

    @Test func `What is read is written as it was`() {
        for text in [
            "null", "true", "-0.5e+7", #""a\"b\\c""#, "[]", "{}", #"[1,[2,{"a":null}],"x"]"#,
            #"{"b":1,"a":[true,false],"b":2}"#, #""ü 😀""#,
        ] {
            #expect(read(text)?.line == text)
        }
    }

    @Test func `Blanks and escapes are understood`() {
        #expect(read(" { \"a\" :\t[ 1 , 2 ]\r\n} ")?.line == #"{"a":[1,2]}"#)
        #expect(read(#""\u0041\n\/\ud83d\ude00\u001b""#) == .string("A\n/😀\u{1b}"))
        #expect(JSONValue.string("\u{1b}\n\u{7f}").line == #""\u001b\n\u007f""#)
    }

    @Test func `What is no JSON is refused`() {
        for text in [
            "", "nul", "01", "1.", "-", "+1", "1e", "[1,]", "[1 2]", "{\"a\"}", "{a:1}", "\"a", "\"\\x\"",
            "\"\\ud800\"", "\"\\u+123\"", "\"\n\"", "{} {}", "[", "{", String(repeating: "[", count: 100_000),
        ] {
            #expect(read(text) == nil, "\(text.prefix(20))")
        }
    }

    @Test func `No prefix and no changed byte of an answer breaks the reader`() throws {
        let bytes = Array(try YardFixtures.answer("routes").line.utf8)
        for end in bytes.indices {
            #expect(throws: JSONReader.Failure.self) { try JSONReader.read(Array(bytes[..<end])) }
        }
        for index in bytes.indices {
            for flip in [0x01, 0x20, 0x80] as [UInt8] {
                var changed = bytes
                changed[index] ^= flip
                _ = try? JSONReader.read(changed)
            }
        }
    }
}
