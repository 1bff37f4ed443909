import DataPlane
import Linux
import Routes
import Support
import Testing

/// What one process tells another about a session. The reader believes nothing.
@Suite struct HandOverRecordTests {
    /// Records of every stage with everything in them that can be.
    private static var samples: [HandOverRecord] {
        var hello = HandOverRecord(.hello)
        hello.source = IPEndpoint(address: .v4(0x7f00_0001), port: 4711)
        hello.up.bytes = [22, 3, 1]
        var parked = HandOverRecord(.parked)
        parked.source = IPEndpoint(address: .v6(high: 0x2001_0db8 << 32, low: 1), port: 65_535)
        parked.name = Array("www.example.org".utf8)
        parked.up.bytes = Array(repeating: 7, count: BufferPool.dataBytes)
        parked.dueNanoseconds = .max
        var routing = parked
        routing.stage = .routing
        routing.name = []
        var relaying = HandOverRecord(.relaying)
        relaying.listener = 3
        relaying.source = parked.source
        relaying.acceptedNanoseconds = 1 << 60
        relaying.helloMicroseconds = 1
        relaying.routedMicroseconds = 2
        relaying.connectedMicroseconds = .max
        relaying.match = .wildcard
        relaying.applicationProtocols = 0xff
        relaying.broken = [.client, .origin]
        relaying.name = Array(repeating: 0x61, count: 253)
        relaying.target = SocketAddress(ipv6: 1, 2, port: 443)
        relaying.up.byteCount = 1 << 62
        relaying.up.end = .ended
        relaying.up.isBulk = true
        relaying.up.pipedCount = 1 << 20
        relaying.down.end = .broken
        relaying.down.streak = 3
        relaying.down.burstBytes = 9
        relaying.down.bytes = [1, 2, 3]
        var bare = relaying
        bare.target = SocketAddress()
        bare.up = HandOverRecord.Way()
        bare.down = HandOverRecord.Way()
        bare.down.end = .passedOn
        return [hello, parked, routing, relaying, bare]
    }

    @Test("A record that was read is the one that was written")
    func roundTrip() throws {
        for sample in Self.samples {
            let bytes = sample.encoded
            #expect(bytes.count <= HandOverRecord.bytesMax)
            let read = try HandOverRecord(bytes)
            #expect(read.encoded == bytes)
            #expect(read.stage == sample.stage && read.descriptorCount == sample.descriptorCount)
            #expect(HandOverRecord.sessions(atEnd: bytes) == nil)
        }
        #expect(Self.samples.map(\.descriptorCount) == [1, 1, 1, 4, 2])
        #expect(HandOverRecord.sessions(atEnd: HandOverRecord.end(afterSessions: 77)) == 77)
    }

    @Test("A record that is cut off, or goes on, is a fault")
    func cuts() {
        for sample in Self.samples {
            let bytes = sample.encoded
            for count in 0..<bytes.count where count < 200 || count > bytes.count - 200 {
                #expect(throws: HandOverFault.self) { try HandOverRecord(Array(bytes[..<count])) }
            }
            #expect(throws: HandOverFault.tooLong) { try HandOverRecord(bytes + [0]) }
        }
    }

    @Test("No flip of a bit and no bytes by chance stop the process; what is read can be written")
    func flips() {
        var random = SystemRandomNumberGenerator()
        for sample in Self.samples {
            let bytes = sample.encoded
            for place in bytes.indices where place < 200 || place > bytes.count - 200 {
                for bit in 0..<8 {
                    var flipped = bytes
                    flipped[place] ^= 1 << UInt8(bit)
                    guard let read = try? HandOverRecord(flipped) else { continue }
                    #expect(read.encoded == flipped)
                }
            }
        }
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...120, using: &random)).map { place in
                place == 0 ? UInt8.random(in: 0...5) : UInt8.random(in: 0...255, using: &random)
            }
            if let read = try? HandOverRecord(bytes) { #expect(read.encoded == bytes) }
            _ = HandOverRecord.sessions(atEnd: bytes)
        }
    }

    @Test("Records that no session can have are refused")
    func impossible() {
        func refuses(_ change: (inout HandOverRecord) -> Void) {
            var record = HandOverRecord(.relaying)
            change(&record)
            #expect(throws: HandOverFault.self) { try HandOverRecord(record.encoded) }
        }
        refuses {
            $0.up.end = .passedOn
            $0.down.end = .dropped
        }
        refuses {
            $0.up.end = .passedOn
            $0.up.bytes = [1]
        }
        refuses {
            $0.up.bytes = [1]
            $0.up.pipedCount = 1
        }
        refuses { $0.up.byteCount = 1 << 62 + 1 }
        refuses { $0.name = Array(repeating: 0x61, count: 254) }
        refuses { $0.up.bytes = Array(repeating: 0, count: BufferPool.dataBytes + 1) }
        refuses { $0.stage = .parked }
        refuses {
            $0.stage = .hello
            $0.down.bytes = [1]
        }
        refuses {
            $0.stage = .hello
            $0.up.pipedCount = 1
        }
    }
}
