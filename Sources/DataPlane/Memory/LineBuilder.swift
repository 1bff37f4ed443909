/// Builds one line of the log in memory of its own, without a String. What does not fit is cut off.
package struct LineBuilder: ~Copyable {
    private let memory: Region<UInt8>
    private var count = 0

    package init() { memory = Region(capacity: 4096) }

    /// Starts a new line.
    package mutating func clear() { count = 0 }

    /// The line so far.
    package var bytes: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            // SAFETY: the first `count` bytes are written, and the memory lives as long as we do.
            let span = unsafe RawSpan(_unsafeStart: memory.base, byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// One byte, as it is.
    package mutating func append(byte: UInt8) {
        guard count < memory.capacity else { return }
        memory[count] = byte
        count += 1
    }

    /// A constant text.
    package mutating func append(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount {
            // SAFETY: the index is below the text's length.
            unsafe append(byte: text.utf8Start[index])
        }
    }

    /// Bytes as they are: for what is known to be harmless.
    package mutating func append(_ span: RawSpan) {
        for offset in 0..<span.byteCount {
            // SAFETY: `unsafeLoad` checks its bounds; a byte needs no alignment.
            unsafe append(byte: span.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
    }

    /// Decimal, with zeros in front up to `digits`.
    package mutating func append(_ number: UInt64, digits: Int = 1) {
        var divisor: UInt64 = 1
        var places = 1
        while number / divisor >= 10 || places < digits {
            divisor *= 10
            places += 1
        }
        while divisor > 0 {
            append(byte: UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    /// Microseconds as milliseconds with three decimals: `12.345ms`.
    package mutating func append(microseconds: UInt64) {
        append(microseconds / 1000)
        append(byte: UInt8(ascii: "."))
        append(microseconds % 1000, digits: 3)
        append("ms")
    }

    /// A digit from 0 to 15.
    package mutating func append(hexadecimalDigit digit: UInt8) {
        append(byte: digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }

    /// An IPv6 address in the form of RFC 5952: lower case, the longest run of zero groups as `::`.
    package mutating func append(ipv6High high: UInt64, low: UInt64) {
        func group(_ index: Int) -> UInt64 {
            (index < 4 ? high >> UInt64(48 - 16 * index) : low >> UInt64(48 - 16 * (index - 4))) & 0xffff
        }
        var (bestStart, bestCount, index) = (8, 1, 0)
        while index < 8 {
            var end = index
            while end < 8, group(end) == 0 { end += 1 }
            if end - index > bestCount { (bestStart, bestCount) = (index, end - index) }
            index = max(end, index + 1)
        }
        index = 0
        while index < 8 {
            if index == bestStart {
                append("::")
                index += bestCount
                continue
            }
            if index > 0, index != bestStart + bestCount { append(":") }
            append(hexadecimal: group(index))
            index += 1
        }
    }

    /// Lower-case hexadecimal of at most four digits, without zeros in front.
    private mutating func append(hexadecimal number: UInt64) {
        for shift in stride(from: 12, through: 0, by: -4) where shift == 0 || number >> UInt64(shift) > 0 {
            append(hexadecimalDigit: UInt8(truncatingIfNeeded: number >> UInt64(shift) & 15))
        }
    }
}
