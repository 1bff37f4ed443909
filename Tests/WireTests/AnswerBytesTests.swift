import Foundation
import Testing
import Wire

/// What the router itself writes: alerts, the answer to plain HTTP, escaped text.
@Suite struct AnswerBytesTests {
    private func escaped(_ text: [UInt8], capacity: Int = 256) -> String {
        String(
            decoding: written(capacity: capacity) { EscapedText.append(text.span.rawBytes, to: &$0) },
            as: UTF8.self)
    }

    @Test("An alert is one record of seven bytes: fatal, and the description of RFC 8446")
    func alerts() {
        let descriptions: [(TLSAlert, UInt8)] = [
            (.handshakeFailure, 40), (.decodeError, 50), (.internalError, 80), (.missingExtension, 109),
            (.unrecognizedName, 112),
        ]
        #expect(descriptions.count == TLSAlert.allCases.count)
        for (alert, description) in descriptions {
            #expect(written(capacity: 256) { alert.append(to: &$0) } == [21, 3, 3, 0, 2, 2, description])
            let record = alert.record
            #expect(record.count == TLSAlert.recordBytes)
            #expect(record.indices.map { record[$0] } == [21, 3, 3, 0, 2, 2, description])
        }
    }

    @Test("Plain HTTP gets a 400 whose length is right and which closes")
    func plainHTTP() throws {
        let bytes = written(capacity: 256) { PlainHTTPAnswer.append(to: &$0) }
        #expect(bytes.count == PlainHTTPAnswer.byteCount)
        let text = String(decoding: bytes, as: UTF8.self)
        let end = try #require(text.firstRange(of: "\r\n\r\n"))
        let head = text[..<end.lowerBound].components(separatedBy: "\r\n")
        #expect(head.first == "HTTP/1.1 400 Bad Request")
        #expect(head.contains("Connection: close"))
        #expect(head.contains("Content-Length: \(text[end.upperBound...].utf8.count)"))
        #expect(text[end.upperBound...].contains("https"))
    }

    @Test("Bytes from the wire cannot break a log line or end a quoted word")
    func escapes() {
        #expect(escaped(Array("www.example.org".utf8)) == "www.example.org")
        #expect(escaped(Array(#"a"b\c"#.utf8)) == #"a\"b\\c"#)
        #expect(escaped([0, 0x0a, 0x1b, 0x7f, 0x80, 0xff, 0x20]) == #"\x00\x0a\x1b\x7f\x80\xff "#)
        let all = escaped([UInt8](0...255), capacity: 256 * EscapedText.bytesPerByteMax)
        #expect(all.utf8.allSatisfy { (0x20...0x7e).contains($0) })
    }

    @Test("An escape is never cut: what does not fit is left out whole")
    func escapeAtTheEnd() {
        #expect(escaped([0x61, 0, 0x62], capacity: 4) == "a")
        #expect(escaped([0x61, 0, 0x62], capacity: 5) == #"a\x00"#)
        #expect(escaped([0x61, 0x22], capacity: 2) == "a")
        #expect(escaped([0x61], capacity: 0) == "")
    }
}
