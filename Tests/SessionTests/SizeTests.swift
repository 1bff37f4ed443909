import DataPlane
import Testing

/// What a session costs is a promise (at most 512 bytes each); a change of any of these sizes should be
/// noticed.
@Suite struct SizeTests {
    @Test("Everything that lies in a slab or a table by descriptor is trivial")
    func trivial() {
        #expect(isTrivial(Session.self))
        #expect(isTrivial(Direction.self))
        #expect(isTrivial(EpollSocket.self))
        #expect(isTrivial(Token.self))
        #expect(isTrivial(Completion.self))
    }

    /// The constraint makes the compiler agree, and the run-time check that it means what we think.
    private func isTrivial<Value: BitwiseCopyable>(_ type: Value.Type) -> Bool { _isPOD(type) }

    @Test("The sizes of what there is one of for each session, socket or operation are known")
    func pinned() {
        #expect(MemoryLayout<Session>.size == 190)
        #expect(MemoryLayout<Session>.stride == 192)
        #expect(MemoryLayout<Direction>.size == 31)
        #expect(MemoryLayout<Direction>.stride == 32)
        #expect(MemoryLayout<EpollSocket>.size == 30)
        #expect(MemoryLayout<EpollSocket>.stride == 32)
        #expect(MemoryLayout<Token>.size == 8)
        #expect(MemoryLayout<Completion>.size == 16)
        #expect(MemoryLayout<Completion>.stride == 16)
        #expect(TimerWheel.bytesPerSlot == 16)
        #expect(LabelSize.allCases.map(\.bytes) == [32, 64, 256])
    }

    @Test("An idle session, with its two sockets, its deadline and its name, takes at most 384 bytes")
    func budget() {
        let session = MemoryLayout<Session>.stride
        let sockets = 2 * MemoryLayout<EpollSocket>.stride
        // The rest of the 512 that are promised is for pages that are not full, and for what is shared.
        #expect(session + sockets + TimerWheel.bytesPerSlot + LabelSize.medium.bytes <= 384)
    }
}
