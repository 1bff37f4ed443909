/// The only file of this module that reads and writes raw integers. Images never leave the machine, so
/// integers are in its own order. Wire's reader is for network order, and lies behind a module line that a
/// look-up must not pay for.
extension RawSpan {
    @inline(always)
    func word8(at offset: Int) -> UInt8 {
        // SAFETY: the load traps outside the span, and every bit pattern is an integer.
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(always)
    func word16(at offset: Int) -> UInt16 {
        // SAFETY: the load traps outside the span, and every bit pattern is an integer.
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)
    }

    @inline(always)
    func word32(at offset: Int) -> UInt32 {
        // SAFETY: the load traps outside the span, and every bit pattern is an integer.
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }

    @inline(always)
    func word64(at offset: Int) -> UInt64 {
        // SAFETY: the load traps outside the span, and every bit pattern is an integer.
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }
}

/// The writing counterpart, for the builder.
extension MutableSpan where Element == UInt8 {
    mutating func store16(_ value: UInt16, at offset: Int) {
        // SAFETY: the store traps outside the span, and any bytes are valid elements.
        var raw = unsafe mutableBytes
        raw.storeBytes(of: value, toByteOffset: offset, as: UInt16.self)
    }

    @inline(always)
    mutating func store32(_ value: UInt32, at offset: Int) {
        // SAFETY: the store traps outside the span, and any bytes are valid elements.
        var raw = unsafe mutableBytes
        raw.storeBytes(of: value, toByteOffset: offset, as: UInt32.self)
    }

    @inline(always)
    mutating func store64(_ value: UInt64, at offset: Int) {
        // SAFETY: the store traps outside the span, and any bytes are valid elements.
        var raw = unsafe mutableBytes
        raw.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }
}
