import DataPlane
import Linux
import Testing

/// The rules of ``IOBackend``, checked on every backend that there is (see ``Subject``). Each rule has a
/// backend and a world of its own; what each part is about stands in the extensions beside this file.
@Suite struct BackendContractTests {
    /// Bytes that tell where in a stream they belong.
    static func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
        (start..<start + count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    /// Waits until a peer has seen all of some bytes.
    static func expect(_ expected: [UInt8], at peer: any ContractPeer, _ bench: Bench) throws {
        var seen: [UInt8] = []
        try bench.until("\(expected.count) bytes arrive") {
            if case .bytes(let bytes) = try peer.receive(upTo: 65_536) { seen += bytes }
            return seen.count >= expected.count
        }
        #expect(seen == expected)
    }

    /// Waits until a peer sees something that is not bytes, and says what.
    static func sightOfEnd(_ peer: any ContractPeer, _ bench: Bench) throws -> Sight {
        var sight = Sight.nothing
        try bench.until("the connection ends for the peer") {
            sight = try peer.receive(upTo: 65_536)
            return sight == .end || sight == .reset
        }
        return sight
    }

    /// Has a peer send all of some bytes.
    static func send(_ bytes: [UInt8], from peer: any ContractPeer, _ bench: Bench) throws {
        var sent = 0
        try bench.until("a peer sends \(bytes.count) bytes") {
            sent += try peer.send(Array(bytes[sent...]))
            return sent == bytes.count
        }
    }
}
