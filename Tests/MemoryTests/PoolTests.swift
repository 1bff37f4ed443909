import DataPlane
import Glibc
import Support
import Testing
import Wire

@Suite struct BufferPoolTests {
    /// Writes a byte all over a buffer's data, to see whether somebody else does, too.
    private func mark(_ buffer: BufferIndex, of pool: borrowing BufferPool, with byte: UInt8) {
        unsafe pool.start(buffer).update(repeating: byte, count: BufferPool.dataBytes)
    }

    private func isMarked(_ buffer: BufferIndex, of pool: borrowing BufferPool, with byte: UInt8) -> Bool {
        let slice = BufferSlice(buffer: buffer, offset: 0, count: UInt32(BufferPool.dataBytes))
        return array(pool.bytes(slice)).allSatisfy { $0 == byte }
    }

    /// How many pages of a buffer, its headroom included, are in memory.
    private func residentPages(_ buffer: BufferIndex, of pool: borrowing BufferPool) -> Int {
        let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))
        var pages = [UInt8](repeating: 0, count: BufferPool.strideBytes / pageBytes)
        let start = unsafe pool.start(buffer) - BufferPool.headroomBytes
        let result = unsafe mincore(start, BufferPool.strideBytes, &pages)
        #expect(result == 0, "the pool's memory begins at a page, and so does each buffer")
        return pages.count { $0 & 1 == 1 }
    }

    @Test("A pool gives out as many buffers as it has, each once, and then none until one comes back")
    func exhaustion() {
        var pool = BufferPool(capacity: 6)
        var buffers: [BufferIndex] = []
        while let buffer = pool.allocate() { buffers.append(buffer) }
        #expect(Set(buffers.map(\.raw)).count == 6)
        let count = pool.count
        #expect(count == 6)
        pool.free(buffers[4])
        let again = pool.allocate()
        #expect(again == buffers[4])
        let none = pool.allocate()
        #expect(none == nil)
    }

    @Test("No two buffers share a byte, and a buffer's bytes stay while it is in use, whatever is trimmed")
    func disjoint() {
        var random = SeededRandom(seed: 7)
        var pool = BufferPool(capacity: 200)
        var marks: [Int32: UInt8] = [:]
        for step in 0..<6000 {
            switch random.below(8) {
            case 0...3:
                guard let buffer = pool.allocate() else { continue }
                #expect(marks[buffer.raw] == nil, "a buffer has one owner")
                marks[buffer.raw] = UInt8(truncatingIfNeeded: step)
                mark(buffer, of: pool, with: UInt8(truncatingIfNeeded: step))
            case 4...6:
                guard let number = marks.keys.sorted().randomElement(using: &random) else { continue }
                let isIntact = isMarked(BufferIndex(number), of: pool, with: marks[number] ?? 0)
                #expect(isIntact)
                marks[number] = nil
                pool.free(BufferIndex(number))
            default:
                if random.oneIn(4) { pool.trim() }
            }
            let count = pool.count
            #expect(count == marks.count)
        }
    }

    @Test("A buffer that was not written to since the pool was made holds no memory")
    func untouched() {
        var pool = BufferPool(capacity: 10)
        let buffer = pool.allocate() ?? .none
        #expect(residentPages(buffer, of: pool) == 0)
        unsafe pool.start(buffer)[0] = 1
        #expect(residentPages(buffer, of: pool) == 1, "a small message touches one page of five")
    }

    @Test("After a rush, the second trim gives back the memory of all free buffers but a few")
    func trimmed() {
        var pool = BufferPool(capacity: 300)
        let buffers = (0..<300).compactMap { _ in pool.allocate() }
        for buffer in buffers { mark(buffer, of: pool, with: 1) }
        for buffer in buffers { pool.free(buffer) }
        pool.trim()
        #expect(resident(buffers, of: pool) == 300, "those were in use since the last trim")
        pool.trim()
        #expect(resident(buffers, of: pool) == BufferPool.keptBuffers)
        pool.trim()
        #expect(resident(buffers, of: pool) == BufferPool.keptBuffers)

        let again = (0..<300).compactMap { _ in pool.allocate() }
        for buffer in again { mark(buffer, of: pool, with: 2) }
        #expect(again.allSatisfy { isMarked($0, of: pool, with: 2) }, "what was given back comes again")

        for buffer in again { pool.free(buffer) }
        pool.trim()
        pool.trim()
        #expect(resident(buffers, of: pool) == BufferPool.keptBuffers, "after the next rush, too")
    }

    @Test("Buffers that are needed now and then keep their memory")
    func warm() {
        var pool = BufferPool(capacity: 300)
        let buffers = (0..<300).compactMap { _ in pool.allocate() }
        for buffer in buffers { mark(buffer, of: pool, with: 1) }
        for buffer in buffers { pool.free(buffer) }
        for _ in 0..<5 {
            // A hundred are in use at the same time between two trims, so a hundred stay.
            let used = (0..<100).compactMap { _ in pool.allocate() }
            for buffer in used { mark(buffer, of: pool, with: 2) }
            for buffer in used { pool.free(buffer) }
            pool.trim()
        }
        #expect(resident(buffers, of: pool) == 100)
    }

    private func resident(_ buffers: [BufferIndex], of pool: borrowing BufferPool) -> Int {
        var count = 0
        for buffer in buffers where residentPages(buffer, of: pool) > 0 { count += 1 }
        return count
    }

    @Test("A slice is where its offset says")
    func slices() {
        var pool = BufferPool(capacity: 2)
        let buffer = pool.allocate() ?? .none
        for offset in 0..<10 { unsafe pool.start(buffer)[offset] = UInt8(offset) }
        let bytes = array(pool.bytes(BufferSlice(buffer: buffer, offset: 3, count: 4)))
        #expect(bytes == [3, 4, 5, 6])
    }

    @Test("A slice that leaves its buffer stops the process rather than read a neighbour's bytes")
    func beyond() async {
        await #expect(processExitsWith: .failure) {
            var pool = BufferPool(capacity: 2)
            guard let buffer = pool.allocate() else { return }
            let slice = BufferSlice(buffer: buffer, offset: Int32(BufferPool.dataBytes) - 3, count: 4)
            _ = pool.bytes(slice).byteCount
        }
        await #expect(processExitsWith: .failure) {
            var pool = BufferPool(capacity: 2)
            guard let buffer = pool.allocate() else { return }
            let slice = BufferSlice(buffer: buffer, offset: -Int32(BufferPool.headroomBytes) - 1, count: 4)
            _ = pool.bytes(slice).byteCount
        }
    }

    @Test(
        "What is put into the room in front of the data leaves the data and the neighbours alone"
    )
    func headroom() {
        var pool = BufferPool(capacity: 2)
        let first = pool.allocate() ?? .none
        let second = pool.allocate() ?? .none
        let whole = [UInt8](repeating: 1, count: BufferPool.dataBytes)
        for buffer in [first, second] {
            pool.overwrite(
                BufferSlice(buffer: buffer, offset: 0, count: UInt32(whole.count)), with: whole.span.rawBytes)
        }
        let header = [UInt8](repeating: 2, count: BufferPool.headroomBytes)
        let place = BufferSlice(buffer: second, offset: -Int32(header.count), count: UInt32(header.count))
        pool.overwrite(place, with: header.span.rawBytes)
        #expect(array(pool.bytes(place)) == header)
        for buffer in [first, second] {
            let data = BufferSlice(buffer: buffer, offset: 0, count: UInt32(whole.count))
            #expect(array(pool.bytes(data)) == whole)
        }
    }
}

@Suite struct PipePoolTests {
    private func targets(_ pipes: [PipeIndex], of pool: borrowing PipePool) -> [(Int32, String?)] {
        var all: [(Int32, String?)] = []
        for pipe in pipes {
            let ends = pool[pipe]
            all.append((ends.readEnd, target(ofDescriptor: ends.readEnd)))
            all.append((ends.writeEnd, target(ofDescriptor: ends.writeEnd)))
        }
        return all
    }

    /// How many of the descriptors still lead where they led.
    private func openCount(_ descriptors: [(Int32, String?)]) -> Int {
        descriptors.count { number, target in
            target != nil && MemoryTests.target(ofDescriptor: number) == target
        }
    }

    @Test("A pool makes as many pipes as it may, and then none until one comes back")
    func exhaustion() {
        var pool = PipePool(capacity: 3)
        var pipes: [PipeIndex] = []
        while let pipe = pool.acquire() { pipes.append(pipe) }
        #expect(Set(pipes.map(\.raw)).count == 3)
        let count = pool.count
        #expect(count == 3)
        #expect(openCount(targets(pipes, of: pool)) == 6)

        pool.release(pipes[1], isEmpty: true)
        let again = pool.acquire()
        #expect(again == pipes[1])
        for pipe in pipes { pool.release(pipe, isEmpty: true) }
    }

    @Test("A pipe that comes back empty stays open for the next user; one that holds bytes is closed")
    func release() {
        var pool = PipePool(capacity: 2)
        let empty = pool.acquire() ?? .none
        let filled = pool.acquire() ?? .none
        let (emptyEnds, filledEnds) = (targets([empty], of: pool), targets([filled], of: pool))
        pool.release(empty, isEmpty: true)
        pool.release(filled, isEmpty: false)
        #expect(openCount(emptyEnds) == 2)
        #expect(openCount(filledEnds) == 0)
        let count = pool.count
        #expect(count == 0)

        // The number of the closed one is free for a new pipe.
        let next = [pool.acquire(), pool.acquire()].compactMap { $0 }
        #expect(Set(next.map(\.raw)) == [empty.raw, filled.raw])
        #expect(openCount(targets(next, of: pool)) == 4)
        for pipe in next { pool.release(pipe, isEmpty: true) }
    }

    @Test("After a rush, the second trim closes all free pipes but 8, and more are made when needed")
    func trimmed() {
        var pool = PipePool(capacity: 20)
        let pipes = (0..<20).compactMap { _ in pool.acquire() }
        let ends = targets(pipes, of: pool)
        for pipe in pipes { pool.release(pipe, isEmpty: true) }
        pool.trim()
        #expect(openCount(ends) == 40, "those were in use since the last trim")
        pool.trim()
        #expect(openCount(ends) == 16)
        pool.trim()
        #expect(openCount(ends) == 16)

        let again = (0..<20).compactMap { _ in pool.acquire() }
        #expect(Set(again.map(\.raw)).count == 20)
        #expect(openCount(targets(again, of: pool)) == 40)
        let none = pool.acquire()
        #expect(none == nil)
        for pipe in again { pool.release(pipe, isEmpty: true) }
    }

    @Test("A pool that goes closes its free pipes")
    func goes() {
        var ends: [(Int32, String?)] = []
        do {
            var pool = PipePool(capacity: 4)
            let pipes = (0..<4).compactMap { _ in pool.acquire() }
            ends = targets(pipes, of: pool)
            pool.release(pipes[0], isEmpty: false)
            for pipe in pipes.dropFirst() { pool.release(pipe, isEmpty: true) }
        }
        #expect(ends.count == 8)
        #expect(openCount(ends) == 0)
    }

    @Test("However pipes come and go, each has one user, and its descriptors are open")
    func walk() {
        var random = SeededRandom(seed: 3)
        var pool = PipePool(capacity: 24)
        var used: [PipeIndex] = []
        for _ in 0..<5000 {
            switch random.below(8) {
            case 0...3:
                guard let pipe = pool.acquire() else {
                    #expect(used.count == 24)
                    continue
                }
                #expect(!used.contains(pipe))
                used.append(pipe)
                #expect(openCount(targets([pipe], of: pool)) == 2)
            case 4...6:
                guard !used.isEmpty else { continue }
                pool.release(used.remove(at: random.below(used.count)), isEmpty: !random.oneIn(3))
            default:
                pool.trim()
            }
            let count = pool.count
            #expect(count == used.count)
        }
        #expect(openCount(targets(used, of: pool)) == 2 * used.count)
        for pipe in used { pool.release(pipe, isEmpty: true) }
    }
}

@Suite struct LabelPoolTests {
    private func name(_ count: Int, _ byte: UInt8 = 0x61) -> [UInt8] {
        (0..<count).map { byte &+ UInt8(truncatingIfNeeded: $0 % 23) }
    }

    @Test("A name of any length that a name can have is kept as it is", arguments: 0...255)
    func lengths(count: Int) {
        var pool = LabelPool(capacity: 3)
        let before = pool.store(name(count, 0x41).span.rawBytes)
        let label = pool.store(name(count).span.rawBytes)
        let after = pool.store(name(count, 0x30).span.rawBytes)
        #expect(label != .none)
        #expect(array(pool.bytes(before)) == name(count, 0x41))
        #expect(array(pool.bytes(label)) == name(count))
        #expect(array(pool.bytes(after)) == name(count, 0x30))
    }

    @Test("A name takes the smallest slot that holds it, and there are enough of each size")
    func kinds() {
        var pool = LabelPool(capacity: 10)
        for (size, least, most) in [(LabelSize.short, 0, 31), (.medium, 32, 63), (.long, 64, 255)] {
            // As many addresses as names, which are all short.
            let count = size == .short ? 20 : 10
            let labels = (0..<count).map { pool.store(name($0 % 2 == 0 ? most : least).span.rawBytes) }
            #expect(labels.allSatisfy { $0 != .none && $0.size == size })
            #expect(Set(labels.map(\.slot)).count == count)
            let tooMany = pool.store(name(least).span.rawBytes)
            #expect(tooMany == .none)
        }
    }

    @Test("A forgotten name's slot is used again, and no name has no bytes")
    func reuse() {
        var pool = LabelPool(capacity: 1)
        for count in [5, 31, 32, 63, 64, 253, 0, 7] {
            let label = pool.store(name(count).span.rawBytes)
            #expect(array(pool.bytes(label)) == name(count))
            pool.free(label)
        }
        pool.free(.none)
        #expect(array(pool.bytes(.none)) == [])
    }
}
