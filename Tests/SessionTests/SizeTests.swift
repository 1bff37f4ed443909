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
        #expect(MemoryLayout<Session>.size == 197)
        #expect(MemoryLayout<Session>.stride == 200)
        #expect(MemoryLayout<Direction>.size == 33)
        #expect(MemoryLayout<Direction>.stride == 40)
        #expect(MemoryLayout<EpollSocket>.size == 36)
        #expect(MemoryLayout<EpollSocket>.stride == 40)
        #expect(MemoryLayout<Token>.size == 8)
        #expect(MemoryLayout<Completion>.size == 16)
        #expect(MemoryLayout<Completion>.stride == 16)
        #expect(TimerWheel.bytesPerSlot == 16)
        #expect(LabelPool.shortBytes == 64)
    }

    @Test("An idle session, with its two sockets, its deadline and its name, takes at most 512 bytes")
    func budget() {
        let session = MemoryLayout<Session>.stride
        let sockets = 2 * MemoryLayout<EpollSocket>.stride
        #expect(session + sockets + TimerWheel.bytesPerSlot + LabelPool.shortBytes <= 512)
    }
}
