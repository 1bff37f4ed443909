/// Numbers, durations and sizes in source text.
package enum Quantity {
    /// A decimal number without sign; nil if there is another byte or it does not fit.
    static func number(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        guard !range.isEmpty, range.count <= 18 else { return nil }
        var value: UInt64 = 0
        for index in range {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            // At most 18 digits: no overflow.
            value = value &* 10 &+ UInt64(digit)
        }
        return value
    }

    /// Why a text is no quantity, for whoever has no range of bytes.
    package struct Fault: Error {
        /// One sentence without a full stop.
        package var message: String
        /// What to do about it.
        package var hint: String?

        private init(_ error: GrammarError) {
            message = error.message
            hint = error.hint
        }

        fileprivate static func naming<Value>(
            _ body: () throws(GrammarError) -> Value
        ) throws(Fault) -> Value {
            do throws(GrammarError) {
                return try body()
            } catch {
                throw Fault(error)
            }
        }
    }

    /// A duration such as `250ms`, in milliseconds, within bounds.
    package static func milliseconds(
        _ text: String, in bounds: ClosedRange<UInt64>
    ) throws(Fault) -> UInt32 {
        let bytes = Array(text.utf8)
        return try Fault.naming { () throws(GrammarError) in
            try requireMilliseconds(bytes.span, bytes.indices, in: bounds)
        }
    }

    /// A size such as `16KiB`, in bytes, within bounds.
    package static func bytes(_ text: String, in bounds: ClosedRange<UInt64>) throws(Fault) -> UInt64 {
        let bytes = Array(text.utf8)
        return try Fault.naming { () throws(GrammarError) in
            try requireBytes(bytes.span, bytes.indices, in: bounds)
        }
    }

    /// A number within bounds.
    static func requireNumber(
        _ bytes: Span<UInt8>, _ range: Range<Int>, in bounds: ClosedRange<UInt64>
    ) throws(GrammarError) -> UInt64 {
        if range.isEmpty { throw GrammarError(range, "a number is missing here") }
        guard let value = number(bytes, range) else {
            throw GrammarError(range, "\(quoted(bytes, range)) is not a number")
        }
        guard bounds.contains(value) else {
            throw GrammarError(range, "\(value) is not in \(bounds.lowerBound)…\(bounds.upperBound)")
        }
        return value
    }

    /// A duration such as `250ms`, in milliseconds, within bounds.
    static func requireMilliseconds(
        _ bytes: Span<UInt8>, _ range: Range<Int>, in bounds: ClosedRange<UInt64>
    ) throws(GrammarError) -> UInt32 {
        let (value, unit) = try split(bytes, range, kind: "duration", example: "250ms, 5s, 10m or 1h")
        let factor: UInt64
        switch text(bytes, unit) {
        case "ms": factor = 1
        case "s": factor = 1_000
        case "m": factor = 60_000
        case "h": factor = 3_600_000
        default:
            throw GrammarError(
                unit.isEmpty ? range : unit,
                unit.isEmpty
                    ? "a unit is missing behind \(value)" : "\(quoted(bytes, unit)) is not a unit of time",
                hint: unit.isEmpty
                    ? "did you mean `\(value)s`?" : "known here: ms, s, m, h; one of them, once")
        }
        let (product, overflows) = value.multipliedReportingOverflow(by: factor)
        guard !overflows, bounds.contains(product), product <= UInt64(UInt32.max) else {
            let allowed = "\(duration(bounds.lowerBound))…\(duration(bounds.upperBound))"
            throw GrammarError(range, "\(quoted(bytes, range)) is not in \(allowed)")
        }
        return UInt32(product)
    }

    /// A size such as `16KiB`, in bytes, within bounds.
    static func requireBytes(
        _ bytes: Span<UInt8>, _ range: Range<Int>, in bounds: ClosedRange<UInt64>
    ) throws(GrammarError) -> UInt64 {
        let (value, unit) = try split(bytes, range, kind: "size", example: "64KiB or 1MiB")
        let factor: UInt64
        switch text(bytes, unit) {
        case "B": factor = 1
        case "KiB": factor = 1 << 10
        case "MiB": factor = 1 << 20
        case "GiB": factor = 1 << 30
        default:
            let near = ["K": "KiB", "M": "MiB", "G": "GiB", "": "KiB"][
                text(bytes, unit).uppercased().prefix(1)]
            throw GrammarError(
                unit.isEmpty ? range : unit,
                unit.isEmpty
                    ? "a unit is missing behind \(value)" : "\(quoted(bytes, unit)) is not a unit of size",
                hint: near.map { "did you mean `\(value)\($0)`?" } ?? "known here: B, KiB, MiB, GiB")
        }
        let (product, overflows) = value.multipliedReportingOverflow(by: factor)
        guard !overflows, bounds.contains(product) else {
            throw GrammarError(
                range,
                "\(quoted(bytes, range)) is not in \(size(bounds.lowerBound))…\(size(bounds.upperBound))")
        }
        return product
    }

    /// The digits' value, and the range of what follows them.
    private static func split(
        _ bytes: Span<UInt8>, _ range: Range<Int>, kind: String, example: String
    ) throws(GrammarError) -> (value: UInt64, unit: Range<Int>) {
        if range.isEmpty { throw GrammarError(range, "a \(kind) is missing here", hint: "write \(example)") }
        var end = range.lowerBound
        while end < range.upperBound, bytes[end] &- UInt8(ascii: "0") < 10 { end += 1 }
        guard let value = number(bytes, range.lowerBound..<end) else {
            throw GrammarError(range, "\(quoted(bytes, range)) is not a \(kind)", hint: "write \(example)")
        }
        return (value, end..<range.upperBound)
    }

    /// Milliseconds in the largest unit that leaves no rest.
    package static func duration(_ milliseconds: UInt64) -> String {
        if milliseconds >= 3_600_000, milliseconds % 3_600_000 == 0 { return "\(milliseconds / 3_600_000)h" }
        if milliseconds >= 60_000, milliseconds % 60_000 == 0 { return "\(milliseconds / 60_000)m" }
        if milliseconds % 1_000 == 0 { return "\(milliseconds / 1_000)s" }
        return "\(milliseconds)ms"
    }

    /// Bytes in the largest unit that leaves no rest.
    static func size(_ bytes: UInt64) -> String {
        if bytes >= 1 << 20, bytes % (1 << 20) == 0 { return "\(bytes >> 20)MiB" }
        if bytes >= 1 << 10, bytes % (1 << 10) == 0 { return "\(bytes >> 10)KiB" }
        return "\(bytes)B"
    }
}
