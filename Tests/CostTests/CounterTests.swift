import CAllocationCounter
import Foundation
import Support
import Testing

/// The instrument itself: a gate that is blind lets everything through.
@Suite struct CounterTests {
    @Test("Each function of the allocator is seen")
    func allocator() {
        let counter = ThreadCounter()
        counter.count { deliberate_allocator_calls() }
        #expect(counter.costs == Self.costs([.malloc: 1, .calloc: 1, .realloc: 1, .memalign: 3, .free: 5]))
    }

    @Test("Each entry point of reference counting is seen")
    func entryPoints() {
        let counter = ThreadCounter()
        let object = Probe()
        Self.countEntryPoints(of: object, counter)
        #expect(counter.costs == Self.costs([.retain: 5, .release: 5]))
    }

    @Test("A class instance that Swift code makes is seen: the object, its memory, and both ends of it")
    func instance() {
        let counter = ThreadCounter()
        var leaf: Leaf?
        counter.count { leaf = makeLeaf() }
        #expect(counter.costs == Self.costs([.allocObject: 1, .malloc: 1]))
        #expect(leaf != nil)
        counter.count { leaf = nil }
        #expect(counter.costs == Self.costs([.allocObject: 1, .malloc: 1, .release: 1, .free: 1]))
    }

    @Test("A reference that Swift code copies is seen")
    func copy() {
        let counter = ThreadCounter()
        let holder = Probe()
        holder.other = Probe()
        counter.count { holder.more = copyReference(of: holder) }
        #expect(counter.costs == Self.costs([.retain: 1]))
        counter.count { holder.more = nil }
        #expect(counter.costs == Self.costs([.retain: 1, .release: 1]))
    }

    @Test("What collections and strings allocate is seen")
    func collections() {
        let counter = ThreadCounter()
        var bytes: [UInt8] = []
        counter.count { for byte in 0..<200 { appendByte(UInt8(byte), to: &bytes) } }
        #expect(bytes.count == 200)
        #expect(counter.costs[.allocObject] > 1)
        #expect(counter.costs[.malloc] >= counter.costs[.allocObject])
        #expect(counter.costs[.free] > 0)
    }

    @Test("A second thread is counted as the first is, each by itself")
    func threads() throws {
        let counter = ThreadCounter()
        let counterOfOther = ThreadCounter()
        let background = Background {
            let object = Probe()
            counterOfOther.count { deliberate_allocator_calls() }
            Self.countEntryPoints(of: object, counterOfOther)
            var leaf: Leaf?
            counterOfOther.count { leaf = makeLeaf() }
            #expect(leaf != nil)
        }
        try counter.count { try background.wait() }
        #expect(
            counterOfOther.costs
                == Self.costs([
                    .malloc: 2, .calloc: 1, .realloc: 1, .memalign: 3, .free: 5, .allocObject: 1, .retain: 5,
                    .release: 5,
                ]))
        #expect(counter.costs[.memalign] == 0, "the other thread's calls are not ours")
        let before = counterOfOther.costs
        deliberate_allocator_calls()
        #expect(counterOfOther.costs == before, "whoever is not counted adds nothing")
    }

    @Test("The CPU time of a counted thread goes on")
    func processorTime() {
        let counter = ThreadCounter()
        counter.count {}
        let before = counter.processorNanoseconds
        for _ in 0..<100 { deliberate_allocator_calls() }
        #expect(counter.processorNanoseconds > before)
    }

    /// What stands for reference counting and allocation in the run-time library and is seen by the counters:
    /// because they stand in its place, or because it comes to malloc and free.
    private static let seen: Set<Substring> = [
        "swift_retain", "swift_retain_n", "swift_tryRetain", "swift_release", "swift_release_n",
        "swift_bridgeObjectRetain", "swift_bridgeObjectRetain_n", "swift_bridgeObjectRelease",
        "swift_bridgeObjectRelease_n", "swift_allocObject", "swift_allocBox", "swift_slowAlloc",
        "swift_slowDealloc", "swift_deallocClassInstance", "swift_deallocPartialClassInstance",
        "swift_deallocObject", "swift_deallocBox", "swift_allocateGenericValueMetadata",
        // Counts nothing: marks an object that lies on the stack.
        "swift_setDeallocating",
    ]

    @Test("The data plane calls no entry point that the counters do not see")
    func entryPointsOfTheDataPlane() throws {
        let executable = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let folder = (executable as NSString).deletingLastPathComponent
        let listed = try run(
            "bash",
            [
                "-c", "nm --undefined-only \"$1\"/{CLinux,Linux,Wire,Routes,DataPlane}.build/*.o", "bash",
                folder,
            ])
        let wanted = Set(listed.output.split(whereSeparator: \.isWhitespace)).filter { name in
            name.hasPrefix("swift_")
                && ["retain", "release", "alloc", "weak", "unowned"].contains {
                    name.lowercased().contains($0)
                }
        }
        #expect(
            wanted.isSuperset(of: ["swift_retain", "swift_release", "swift_allocObject"]), "\(listed.errors)")
        #expect(wanted.subtracting(Self.seen).sorted() == [])
    }

    private static func costs(_ counts: [Costs.Kind: UInt64]) -> Costs {
        var costs = Costs()
        for (kind, count) in counts { costs[kind] = count }
        return costs
    }

    /// Nothing but the calls stands between beginning and end.
    private static func countEntryPoints(of object: Probe, _ counter: ThreadCounter) {
        // SAFETY: the object lives until the end of the function, and comes back as it was.
        let pointer = unsafe Unmanaged.passUnretained(object).toOpaque()
        counter.count { unsafe deliberate_retains_and_releases(pointer) }
        withExtendedLifetime(object) {}
    }
}

/// Something to refer to.
final class Probe {
    var other: Probe?
    var more: Probe?
}

/// Refers to nothing, so that its end releases nothing but itself.
final class Leaf {}

@inline(never) private func makeLeaf() -> Leaf { Leaf() }

@inline(never) private func copyReference(of probe: Probe) -> Probe? { probe.other }

@inline(never) private func appendByte(_ byte: UInt8, to bytes: inout [UInt8]) { bytes.append(byte) }
