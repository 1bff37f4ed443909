import DataPlane
import Foundation
import Linux
import Support
import Testing

/// What can only be said of backends on real sockets: what they leave behind in the process. Descriptors and
/// memory are counted in a process of their own, because other tests run in this one at the same time.
@Suite struct RealSocketTests {
    @Test(
        "A backend gives back every descriptor that it was given or has made", arguments: Subject.real.indices
    )
    func descriptors(_ index: Int) async {
        await #expect(processExitsWith: .success) { [index] in
            // The first round opens what the process itself keeps open.
            try Subject.real[index].check { try Self.work($0) }
            let base = try Self.descriptorCount()
            for _ in 0..<4 { try Subject.real[index].check { try Self.work($0) } }
            #expect(try Self.descriptorCount() < base + 2, "what each round leaves behind adds up")
        }
    }

    @Test(
        "What a rush has made is given back by trim: the memory of buffers, and pipes",
        arguments: Subject.real.indices)
    func trim(_ index: Int) async {
        await #expect(processExitsWith: .success) { [index] in
            let subject = Subject.real[index].resized(sessionsMax: 1000, pipesMax: 100)
            try subject.check { bench in
                let descriptorBase = try Self.descriptorCount()
                let memoryBase = try Self.residentBytes()
                var buffers: [BufferIndex] = []
                let bytes = [UInt8](repeating: 1, count: BufferPool.dataBytes)
                while let buffer = bench.backend.makeBuffer(copying: bytes) { buffers.append(buffer) }
                var pipes: [PipeIndex] = []
                while let pipe = bench.backend.acquirePipe() { pipes.append(pipe) }
                let memoryUsed = try Self.residentBytes() - memoryBase
                // A page of each was touched before.
                #expect(memoryUsed > buffers.count * BufferPool.dataBytes * 7 / 10)
                #expect(try Self.descriptorCount() > descriptorBase + 190, "200 ends of pipes")

                for buffer in buffers { bench.backend.release(buffer) }
                for pipe in pipes { bench.backend.releasePipe(pipe, isEmpty: true) }
                bench.backend.trim()
                bench.backend.trim()
                let memoryLeft = try Self.residentBytes() - memoryBase
                #expect(memoryLeft < memoryUsed / 10, "\(memoryLeft) of \(memoryUsed) bytes are left")
                #expect(try Self.descriptorCount() <= descriptorBase + 20)
            }
        }
    }

    @Test(
        "An event of a socket that somebody else keeps open does not reach the next tenant of its number",
        arguments: Subject.real, [false, true])
    func keptOpen(_ subject: Subject, isWaiting: Bool) throws {
        try subject.check { bench in
            var reused: (firstPeer: any ContractPeer, next: Held, peer: any ContractPeer)?
            var copies: [Int32] = []
            defer { for copy in copies { closeDescriptor(copy) } }
            for _ in 0..<50 where reused == nil {
                let (first, firstPeer) = try bench.pair()
                bench.receive(first)
                bench.pass(milliseconds: 5)
                bench.backend.cancel(first.descriptor)
                _ = try bench.completion(.receive, of: first)
                // The kernel forgets a socket that is watched when its last descriptor is closed (epoll(7)),
                // and there is one more.
                copies.append(dup(first.descriptor))
                let next = try bench.exchange(first) {}
                if let next { reused = (firstPeer, next.held, next.peer) }
            }
            let (firstPeer, next, peer) = try #require(reused, "a number was used again")
            if isWaiting { bench.awaitReadable(next) }
            bench.pass(milliseconds: 5)
            _ = try firstPeer.send([1])
            bench.pass(milliseconds: 5)
            #expect(!bench.backend.mayReceive(next.descriptor))
            firstPeer.reset()
            bench.pass()
            #expect(bench.isQuiet, "neither readable nor a fault")
            _ = try peer.send([2])
            if isWaiting { _ = try bench.completion(.readable, of: next) }
            bench.receive(next)
            #expect(try bench.bytes(try bench.completion(.receive, of: next)) == [2])
        }
    }

    /// Something of everything that takes a descriptor.
    private static func work(_ bench: Bench) throws {
        let listener = try bench.listen()
        bench.backend.setAcceptBudget(3)
        let clients = try (0..<4).map { _ in try bench.world.connect(to: listener.address) }
        let accepted = try (0..<3).map { _ in bench.adopt(try bench.accept()) }
        bench.close(accepted[0])
        bench.close(accepted[1], reset: true)
        clients[0].close()

        for kind in OriginKind.allCases {
            let origin = try bench.world.makeOrigin(kind)
            let held = try bench.connect(to: origin, sending: try bench.buffer([1]))
            bench.pass(milliseconds: 5)
            bench.backend.cancel(held.descriptor)
            _ = try bench.completion(.connect, of: held)
        }
        let pipes = [bench.backend.acquirePipe(), bench.backend.acquirePipe()].compactMap { $0 }
        #expect(pipes.count == 2)
        bench.backend.releasePipe(pipes[0], isEmpty: true)
        bench.backend.releasePipe(pipes[1], isEmpty: false)
    }

    private static func descriptorCount() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }

    private static func residentBytes() throws -> Int {
        // Total, resident and so on, in pages (proc_pid_statm(5)).
        let fields = TextFile.read("/proc/self/statm")?.split(separator: " ") ?? []
        guard fields.count > 1, let pages = Int(fields[1]) else { throw ContractFailure("no /proc") }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
