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
        parked.match = .exact
        var connecting = parked
        connecting.stage = .connecting
        connecting.name = []
        connecting.match = .defaultRoute
        connecting.destination = Array(1...18)
        var forwarded = HandOverRecord(.connecting)
        forwarded.target = SocketAddress(ipv6: 1, 2, port: 25)
        var requesting = HandOverRecord(.requesting)
        requesting.target = forwarded.target
        requesting.match = .exact
        requesting.up.bytes = Array(repeating: 7, count: BufferPool.strideBytes)
        requesting.up.end = .enough
        requesting.wantsHeadOnly = true
        var forwarding = requesting
        forwarding.stage = .forwarding
        forwarding.up.end = .open
        forwarding.contentBytesLeft = 1 << 62
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
        relaying.termKinds = [.counted, .idle, .drains, .ending]
        relaying.terms.fingerprint = .max
        relaying.terms.idleNanoseconds = 1
        relaying.terms.drainNanoseconds = 2
        relaying.terms.endNanoseconds = .max
        relaying.up.takenCount = 1 << 62
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
        bare.up.takenCount = -512
        bare.down.end = .passedOn
        return [
            HandOverRecord(.accepted), HandOverRecord(.proxyHeader), hello, HandOverRecord(.head), parked,
            connecting, forwarded, requesting, forwarding, relaying, bare,
        ]
    }

    @Test("A record that was read is the one that was written")
    func roundTrip() throws {
        for sample in Self.samples {
            let bytes = sample.encoded
            #expect(bytes.count <= HandOverRecord.bytesMax)
            let read = try HandOverRecord(bytes)
            #expect(read.encoded == bytes)
            #expect(read.stage == sample.stage && read.descriptorCount == sample.descriptorCount)
            #expect(read.target.family == sample.target.family && read.name == sample.name)
            #expect(read.terms.endNanoseconds == sample.terms.endNanoseconds)
            #expect(HandOverRecord.sessions(atEnd: bytes) == nil)
        }
        #expect(Self.samples.map(\.descriptorCount) == [1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 2])
        #expect(Set(Self.samples.map(\.stage)).count == HandOverRecord.Stage.allCases.count)
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
                place == 0 ? UInt8.random(in: 0...10) : UInt8.random(in: 0...255, using: &random)
            }
            if let read = try? HandOverRecord(bytes) { #expect(read.encoded == bytes) }
            _ = HandOverRecord.sessions(atEnd: bytes)
        }
    }

    @Test("Records that no session can have are refused")
    func impossible() {
        func refuses(
            _ stage: HandOverRecord.Stage = .relaying, _ change: (inout HandOverRecord) -> Void = { _ in }
        ) {
            var record = HandOverRecord(stage)
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
        refuses { $0.up.takenCount = 1 << 62 + 1 }
        refuses { $0.up.takenCount = -513 }
        refuses { $0.name = Array(repeating: 0x61, count: 254) }
        refuses { $0.up.bytes = Array(repeating: 0, count: BufferPool.strideBytes + 1) }
        refuses { $0.destination = [1] }
        refuses { $0.up.end = .enough }
        refuses { $0.contentBytesLeft = 1 }
        refuses(.parked)
        refuses(.connecting) { $0.match = .exact }
        refuses(.hello) { $0.down.bytes = [1] }
        refuses(.hello) { $0.up.pipedCount = 1 }
        refuses(.hello) { $0.target = SocketAddress(ipv6: 1, 2, port: 25) }
        refuses(.accepted) { $0.up.bytes = [1] }
        // A request whose content is whole takes no more, and one whose content is not takes some.
        refuses(.forwarding)
        refuses(.forwarding) {
            $0.up.end = .enough
            $0.contentBytesLeft = 1
        }
        refuses(.forwarding) {
            $0.contentBytesLeft = 1
            $0.up.isBulk = true
        }
        refuses(.requesting) { $0.up.end = .enough }
    }
}
