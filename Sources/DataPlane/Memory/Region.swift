import CLinux

/// Anonymous memory, zeroed, that costs nothing until it is touched. It never moves: the kernel and other
/// structures may keep its address. Every pool of the data plane is built on one of these, allocated at
/// start.
@safe struct Region<Element: BitwiseCopyable>: ~Copyable {
    /// How many elements fit.
    let capacity: Int
    /// The first element.
    let base: UnsafeMutablePointer<Element>

    init(capacity: Int) {
        precondition(capacity > 0, "a region holds at least one element")
        self.capacity = capacity
        // SAFETY: a mapping of the size asked for, or none.
        guard let memory = unsafe clinux_map(capacity * MemoryLayout<Element>.stride) else {
            // Release builds do not print what a precondition says, and the operator can do something about
            // this one.
            let words: StaticString =
                "switchyard: no memory for `limit connections`: lower it, or raise ulimit -v\n"
            // SAFETY: the text is static, and as long as it says.
            _ = unsafe clinux_write(2, words.utf8Start, words.utf8CodeUnitCount)
            preconditionFailure("no address space for \(capacity) elements of \(Element.self)")
        }
        // SAFETY: the mapping is page-aligned, large enough and zeroed, and `Element` is trivial.
        unsafe base = memory.bindMemory(to: Element.self, capacity: capacity)
    }

    deinit {
        // SAFETY: the mapping is ours, and nobody else keeps its address beyond our life.
        unsafe _ = munmap(base, capacity * MemoryLayout<Element>.stride)
    }

    /// An element, in place.
    subscript(index: Int) -> Element {
        @inline(always) unsafeAddress {
            precondition(index >= 0 && index < capacity)
            // SAFETY: the index was checked.
            return unsafe UnsafePointer(base + index)
        }
        @inline(always) nonmutating unsafeMutableAddress {
            precondition(index >= 0 && index < capacity)
            // SAFETY: the index was checked.
            return unsafe base + index
        }
    }
}
