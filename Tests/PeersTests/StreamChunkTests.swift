import NIOCore
import Peers
import Testing

/// The chunks of a stream, without a connection.
@Suite struct StreamChunkTests {
    private struct Seen: Equatable {
        var data: [UInt8] = []
        var others: [StreamChunk] = []
        var isNonsense = false
    }

    /// What is read of bytes that come in these portions.
    private func read(_ portions: [[UInt8]]) -> Seen {
        var (reader, seen) = (StreamReader(), Seen())
        for portion in portions {
            reader.receive(ByteBuffer(bytes: portion))
            do throws(StreamReader.Failure) {
                while let chunk = try reader.next() {
                    if case .data(let bytes) = chunk {
                        seen.data += bytes.readableBytesView
                    } else {
                        seen.others.append(chunk)
                    }
                }
            } catch {
                seen.isNonsense = true
                break
            }
        }
        return seen
    }

    private func bytes(_ chunks: [StreamChunk]) -> [UInt8] {
        chunks.flatMap { Array($0.bytes.readableBytesView) }
    }

    @Test func chunksAreTheSameInAnyPortions() {
        let chunks: [StreamChunk] = [
            .data(ByteBuffer(string: "hello")), .data(ByteBuffer(string: " world")), .end, .abort("a reason"),
        ]
        let all = bytes(chunks)
        let whole = read([all])
        #expect(String(decoding: whole.data, as: UTF8.self) == "hello world")
        #expect(whole.others == [.end, .abort("a reason")] && !whole.isNonsense)
        for first in 0...all.count {
            for second in first...all.count {
                #expect(
                    read([Array(all[..<first]), Array(all[first..<second]), Array(all[second...])]) == whole)
            }
        }
        #expect(read(all.map { [$0] }) == whole)
    }

    @Test func noTruncationLooksLikeAnEnd() {
        let all = bytes([.data(ByteBuffer(string: "hello")), .end])
        for count in 0..<all.count { #expect(read([Array(all[..<count])]).others == []) }
    }

    @Test func anyBytesAreReadOrRefused() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...24, using: &random)).map { _ in
                // Mostly bytes that mean something.
                UInt8.random(in: 0...(Bool.random(using: &random) ? 4 : 255), using: &random)
            }
            let whole = read([bytes])
            #expect(
                whole.data.count <= bytes.count && read(bytes.map { [$0] }).isNonsense == whole.isNonsense)
        }
    }

    @Test func aLongReasonIsCutShortAndHasNothingThatATerminalObeys() {
        let seen = read([bytes([.abort("\u{1b}[2J" + String(repeating: "x", count: 5000))])])
        guard case .abort(let reason)? = seen.others.first else {
            Issue.record("no abort")
            return
        }
        #expect(!reason.contains("\u{1b}") && reason.count <= 1024)
    }
}
