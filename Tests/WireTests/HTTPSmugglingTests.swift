import Testing
import Wire

/// The ways in which a request has been made to end in two places, each with the rule that it breaks. Of what
/// is refused no byte reaches a backend.
@Suite struct HTTPSmugglingTests {
    @Test("Where a request ends is said in one way: Content-Length and Transfer-Encoding exclude each other")
    func lengthAndCoding() {
        #expect(fault("Content-Length: 6\nTransfer-Encoding: chunked") == .lengthAndCoding)
        #expect(fault("Transfer-Encoding: chunked\nContent-Length: 6") == .lengthAndCoding)
        #expect(fault("Transfer-Encoding: chunked\nContent-Length: 0") == .lengthAndCoding)
        #expect(fault("content-length: 6\nTRANSFER-ENCODING: CHUNKED") == .lengthAndCoding)
        #expect(
            fault(of: "POST / HTTP/1.0\nHost: a.example\nTransfer-Encoding: chunked\n\n") == .transferCodings)
        let (outcome, head) = parseHead("POST / HTTP/1.1\nHost: a.example\nTransfer-Encoding: Chunked\n\n")
        #expect(outcome == .head && head.isChunked && head.contentBytes == 0)
    }

    @Test("A Transfer-Encoding that one reader sees and another does not is refused")
    func obfuscatedCodings() {
        for value in [
            "xchunked", "chunked, chunked", "identity", "chunked, identity", "gzip, chunked", "gzip", "",
            "chunked;q=1", "\"chunked\"", "'chunked'", "chunked,", ",chunked", "chunk ed", "ch\u{fc}nked",
            "x",
            "cow", "identity, chunked", "chunked\u{a0}", "c hunked",
        ] {
            #expect(fault("Transfer-Encoding: \(value)") == .unknownCoding, "\(value)")
            #expect(HTTPFault.unknownCoding.answer == .notImplemented)
        }
        #expect(fault("Transfer-Encoding: chunked\nTransfer-Encoding: chunked") == .transferCodings)
        #expect(fault("Transfer-Encoding: chunked\nTransfer-encoding: cow") == .transferCodings)
        #expect(fault("Transfer-Encoding: x\nTransfer-Encoding: chunked") == .unknownCoding)
        for (line, expected): (String, HTTPFault) in [
            ("Transfer-Encoding : chunked", .blankBeforeColon),
            ("Transfer-Encoding\t: chunked", .blankBeforeColon),
            (" Transfer-Encoding: chunked", .foldedField), ("\tTransfer-Encoding: chunked", .foldedField),
            ("X: y\n Transfer-Encoding: chunked", .foldedField),
            ("Transfer-Encoding\n : chunked", .fieldName),
            ("Transfer-Encoding:\n chunked", .unknownCoding), ("Transfer_Encoding: chunked", .ambiguousName),
            ("Transfer Encoding: chunked", .blankBeforeColon),
            ("Transfer-Encoding: \u{b}chunked", .controlByte),
            ("Transfer-Encoding: \u{c}chunked", .controlByte),
            ("Transfer-Encoding: chunked\u{0}", .controlByte),
            ("Transfer-Encoding\u{0}: chunked", .controlByte),
            ("\u{0}Transfer-Encoding: chunked", .controlByte),
            ("Transfer-Encoding", .fieldName), (": chunked", .fieldName), (":", .fieldName),
            ("Transfer\u{2d}Encoding\u{a0}: chunked", .fieldName),
            ("Transfer-Encoding;x: chunked", .fieldName),
            ("\"Transfer-Encoding\": chunked", .fieldName), ("(x)Transfer-Encoding: chunked", .fieldName),
        ] {
            #expect(fault(line) == expected, "\(line)")
        }
        // Other fields, which nobody takes for the one.
        for line in [
            "X-Transfer-Encoding: chunked", "Transfer-Encodin: chunked", "X: Transfer-Encoding: chunked",
        ] {
            #expect(fault(line) == nil, "\(line)")
        }
    }

    @Test("A Content-Length is digits and nothing else, and stands once")
    func lengths() {
        for value in [
            "", "+5", "-5", "5,5", "5, 5", "5 5", "5;", "0x5", "5.0", "5e1", "05", "00", "five", "5\u{a0}",
            "\"5\"", "5 ,",
            "\u{ff15}", "1_000", "5\t5", "-0", "NaN", "18446744073709551616x",
        ] {
            #expect(fault("Content-Length: \(value)") == .contentLength, "\(value)")
        }
        #expect(fault("Content-Length: 5\nContent-Length: 5") == .contentLength)
        #expect(fault("Content-Length: 5\nContent-Length: 6") == .contentLength)
        #expect(fault("Content-Length: 0\ncontent-length: 44") == .contentLength)
        for line in [
            "Content_Length: 5", "content_length: 5", "Content-Length_: 5",
        ] {
            #expect(fault(line) == (line.hasSuffix("_: 5") ? nil : .ambiguousName), "\(line)")
        }
        #expect(fault("Content-Length : 5") == .blankBeforeColon)
        #expect(fault("Content-Length:\n 5") == .contentLength)
        #expect(fault("Content-Length: 5\n 5") == .foldedField)
        #expect(fault("Content-Length: 5\u{0}") == .controlByte)
        for value in [
            "1000000000000000", "9223372036854775808", "18446744073709551616", "99999999999999999999999",
        ] {
            let refusal = fault("Content-Length: \(value)")
            #expect(refusal == .contentTooLarge, "\(value)")
            #expect(refusal?.answer == .contentTooLarge)
        }
        for (value, expected): (String, UInt64) in [
            ("0", 0), ("5", 5), (" \t5\t ", 5), ("999999999999999", 999_999_999_999_999),
        ] {
            let (outcome, head) = parseHead("POST / HTTP/1.1\nHost: a.example\nContent-Length:\(value)\n\n")
            #expect(outcome == .head && head.contentBytes == expected, "\(value)")
        }
    }

    @Test("Lines end in CR LF: a bare LF or CR is refused wherever it stands")
    func lineEnds() {
        let whole = headBytes("POST /a HTTP/1.1\nHost: a.example\nX: y\n\n")
        for (index, byte) in whole.enumerated() {
            var withoutReturn = whole
            var withReturn = whole
            withReturn.insert(13, at: index)
            if byte == 13 {
                withoutReturn.remove(at: index)
                #expect(fault(ofBytes: withoutReturn) == .bareLineFeed, "at \(index)")
            }
            #expect(fault(ofBytes: withReturn) == .bareCarriageReturn, "at \(index)")
            var withFeed = whole
            withFeed.insert(10, at: index)
            // In front of a LF of ours this ends the line one byte earlier, and begins one with a LF.
            #expect(fault(ofBytes: withFeed) == .bareLineFeed || byte == 10, "at \(index)")
        }
        #expect(fault(ofBytes: Array("GET / HTTP/1.1\nHost: a.example\n\n".utf8)) == .bareLineFeed)
        #expect(fault(ofBytes: Array("GET / HTTP/1.1\rHost: a.example\r\r".utf8)) == .bareCarriageReturn)
    }

    @Test("A control byte is refused wherever it stands")
    func controlBytes() {
        let whole = headBytes("POST /a HTTP/1.1\nHost: a.example\nX: y\n\n")
        for control in (UInt8(0)..<32).filter({ ![9, 10, 13].contains($0) }) + [127] {
            for index in whole.indices where whole[index] != 10 && whole[index] != 13 {
                var bytes = whole
                bytes[index] = control
                #expect(fault(ofBytes: bytes) == .controlByte, "\(control) at \(index)")
            }
        }
    }

    @Test("A connection option takes away no field that would not be taken away without it")
    func connectionOptions() {
        for options in [
            "close", "keep-alive", "Keep-Alive, Upgrade", "TE", "upgrade,HTTP2-Settings", "", " , ",
        ] {
            #expect(fault("Connection: \(options)") == nil, "\(options)")
        }
        for options in [
            "Host", "close, Content-Length", "Transfer-Encoding", "X-Forwarded-For", "Cookie", "close;x",
            "clo se",
            "keep-alive, Authorization",
        ] {
            #expect(fault("Connection: \(options)") == .connectionOption, "\(options)")
        }
    }

    @Test("Each fault has an answer of the 400s or 500s")
    func answers() {
        for fault in HTTPFault.allCases { #expect((400...599).contains(fault.answer.rawValue)) }
    }
}
