// The only file of this module that says `unsafe`: Swift 6.3 has no safe load from a `RawSpan` yet (SE-0525
// brings it). Every load below checks its bounds, in release builds too; a wrong offset is a trap, never a
// read outside.

extension RawSpan {
    /// The byte at `offset`, which must be below `byteCount`.
    @inlinable
    @inline(always)
    package func byte(at offset: Int) -> UInt8 {
        // SAFETY: the load checks that the offset is inside; any bit pattern is a UInt8.
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self)
    }

    /// The big-endian (network order) number at `offset`; both of its bytes must be inside.
    @inlinable
    @inline(always)
    package func bigEndianUInt16(at offset: Int) -> UInt16 {
        // SAFETY: the load checks that both bytes are inside; any bit pattern is a UInt16.
        unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
}

extension Span where Element == UInt8 {
    /// The same bytes as a `RawSpan`.
    package var rawBytes: RawSpan {
        @_lifetime(copy self)
        get {
            // SAFETY: a UInt8 has no padding, so every byte of the span is initialised.
            unsafe bytes
        }
    }
}

extension StaticString {
    /// The byte at `offset`, which must be below `utf8CodeUnitCount`.
    func byte(at offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < utf8CodeUnitCount, "a byte of the text")
        // SAFETY: the offset was checked, and a StaticString's text is never freed.
        return unsafe utf8Start[offset]
    }
}

extension OutputRawSpan {
    /// Appends the ASCII text; it must fit into the free capacity, or this traps.
    package mutating func append(_ text: StaticString) {
        precondition(text.utf8CodeUnitCount <= freeCapacity, "the text does not fit into the caller's memory")
        for index in 0..<text.utf8CodeUnitCount {
            // SAFETY: the index is below the count, and a StaticString's text is never freed.
            unsafe append(text.utf8Start[index])
        }
    }
}

/// Reads the fields of one TLS handshake message that may be cut over any number of TLS records.
///
/// It has few verbs: take a number, take a sub-reader of n bytes, skip, ask whether anything is left. A
/// length field always becomes a sub-reader, so that an inner field can never read outside of its parent.
/// Between two records the reader hops over the record header. A message that lies in one record never hops:
/// it is read as one slice.
///
/// The record headers must have been checked before (`HelloParser` does so): each record holds at least one
/// byte.
struct HandshakeReader: ~Escapable {
    /// The bytes as received, record headers included.
    private let received: RawSpan
    /// Where the next byte of the message is in `received`.
    private var offset: Int
    /// Where the current record ends in `received`.
    private var recordEnd: Int
    /// How many bytes of the message this reader may still read, record headers not counted.
    private(set) var remaining: Int

    /// A reader of `messageBytes` bytes whose first record header is at the start of `received`.
    @_lifetime(copy received)
    init(firstRecordOf received: RawSpan, messageBytes: Int) {
        self.received = received
        offset = 5
        recordEnd = 5 + Int(received.bigEndianUInt16(at: 3))
        remaining = messageBytes
    }

    /// True when every byte of this reader was read.
    var isEmpty: Bool { remaining == 0 }

    /// The next byte; `fault` when there is none.
    @inline(always)
    mutating func takeUInt8(orThrow fault: HelloFault) throws(HelloFault) -> Int {
        guard remaining >= 1 else { throw fault }
        if offset == recordEnd { hop() }
        let value = received.byte(at: offset)
        offset &+= 1
        remaining &-= 1
        return Int(value)
    }

    /// The next two bytes as a number in network order; `fault` when there are fewer.
    @inline(always)
    mutating func takeUInt16(orThrow fault: HelloFault) throws(HelloFault) -> Int {
        guard remaining >= 2 else { throw fault }
        guard recordEnd &- offset >= 2 else {
            let high = try takeUInt8(orThrow: fault)
            return try high << 8 | takeUInt8(orThrow: fault)
        }
        let value = received.bigEndianUInt16(at: offset)
        offset &+= 2
        remaining &-= 2
        return Int(value)
    }

    /// Steps over `count` bytes; `fault` when there are fewer.
    @inline(always)
    mutating func skip(_ count: Int, orThrow fault: HelloFault) throws(HelloFault) {
        guard count <= remaining else { throw fault }
        remaining &-= count
        if count <= recordEnd &- offset {
            offset &+= count
        } else {
            skipOverRecords(count)
        }
    }

    /// A reader of the next `count` bytes, which this reader then has behind it; `fault` when there are
    /// fewer.
    @inline(always)
    @_lifetime(copy self)
    mutating func takeReader(_ count: Int, orThrow fault: HelloFault) throws(HelloFault) -> HandshakeReader {
        var inner = self
        try skip(count, orThrow: fault)
        inner.remaining = count
        return inner
    }

    /// A reader of a vector with a length of one byte in front; `fault` when the length leads outside.
    @_lifetime(copy self)
    mutating func takeVector8(orThrow fault: HelloFault) throws(HelloFault) -> HandshakeReader {
        let count = try takeUInt8(orThrow: fault)
        return try takeReader(count, orThrow: fault)
    }

    /// A reader of a vector with a length of two bytes in front; `fault` when the length leads outside.
    @inline(always)
    @_lifetime(copy self)
    mutating func takeVector16(orThrow fault: HelloFault) throws(HelloFault) -> HandshakeReader {
        let count = try takeUInt16(orThrow: fault)
        return try takeReader(count, orThrow: fault)
    }

    /// The rest as one slice when it lies in one record, else nil: then it can only be read byte by byte.
    var contiguousRest: RawSpan? {
        @_lifetime(copy self)
        get {
            guard remaining <= recordEnd &- offset else { return nil }
            return received.extracting(offset..<offset &+ remaining)
        }
    }

    /// Steps over the header of the next record.
    private mutating func hop() {
        offset = recordEnd &+ 5
        recordEnd = offset &+ Int(received.bigEndianUInt16(at: offset &- 2))
    }

    /// Steps over bytes that lie in more than one record. Each turn leaves a record, so it ends.
    @inline(never)
    private mutating func skipOverRecords(_ count: Int) {
        var left = count
        while left > recordEnd &- offset {
            left &-= recordEnd &- offset
            hop()
        }
        offset &+= left
    }
}
