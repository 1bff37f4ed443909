import Wire

/// The first word of a route: its names.
extension RouteParser {
    /// Parses names that commas separate. False when the last one is missing: then the next word probably is
    /// a name, and to judge the rest of the line would only confuse.
    mutating func parseNames(_ word: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        var start = word.lowerBound
        while true {
            let end = firstIndex(of: UInt8(ascii: ","), bytes, start..<word.upperBound) ?? word.upperBound
            parseName(start..<end, in: word, bytes)
            if end == word.upperBound { return start < end }
            start = end + 1
        }
    }

    private mutating func parseName(_ range: Range<Int>, in word: Range<Int>, _ bytes: Span<UInt8>) {
        guard !range.isEmpty else {
            let isLast = range.lowerBound == word.upperBound && word.count > 1
            report(
                GrammarError(
                    range, "a name is missing here",
                    hint: isLast ? "names are separated by commas without blanks" : nil))
            return
        }
        guard bytes[range.lowerBound] == UInt8(ascii: "*") else {
            addName(range, isWildcard: false, bytes)
            return
        }
        if range.count == 1 {
            addDefault(range)
        } else if range.count > 2, bytes[range.lowerBound + 1] == UInt8(ascii: ".") {
            addName(range.lowerBound + 2..<range.upperBound, isWildcard: true, bytes)
        } else {
            report(
                GrammarError(
                    range, "\(quoted(bytes, range)) is not a wildcard",
                    hint: "a star stands for one whole label at the start: *.example.org"))
        }
    }

    private mutating func addName(_ range: Range<Int>, isWildcard: Bool, _ bytes: Span<UInt8>) {
        do throws(HostNameFault) {
            let name = try HostName.normalise(bytes.rawBytes.extracting(range))
            addName(name, range, isWildcard: isWildcard)
        } catch {
            if error.reason == .nonASCIIByte {
                addUnicodeName(range, isWildcard: isWildcard, bytes)
            } else {
                report(Self.explain(error, range, bytes.extracting(range)))
            }
        }
    }

    private mutating func addName(_ name: borrowing HostName, _ range: Range<Int>, isWildcard: Bool) {
        // A wildcard's name has at least two bytes more than its suffix.
        let count = name.byteCount
        guard !isWildcard || count <= HostName.bytesMax - 2 else {
            report(GrammarError(range, "no name under this suffix would fit into \(HostName.bytesMax) bytes"))
            return
        }
        builder.addName(name.bytes, isWildcard: isWildcard)
    }

    private mutating func addUnicodeName(_ range: Range<Int>, isWildcard: Bool, _ bytes: Span<UInt8>) {
        let written = text(bytes, range)
        do throws(GrammarError) {
            let ascii = try UnicodeName.ascii(written, at: range)
            do throws(HostNameFault) {
                addName(try HostName.normalise(ascii.span.rawBytes), range, isWildcard: isWildcard)
            } catch {
                throw Self.explain(error, range, ascii.span, isConverted: true)
            }
            warn(
                range, "`\(written)` is taken as `\(String(decoding: ascii, as: UTF8.self))`",
                hint: "write the second form: it is what clients send")
        } catch {
            report(error)
        }
    }

    private mutating func addDefault(_ range: Range<Int>) {
        let place = scanner.place(range)
        if let defaultPlace {
            let first = Diagnostic(
                .note, at: defaultPlace.place, in: files[defaultPlace.fileIndex], "it is first named here")
            report(GrammarError(range, "the default route `*` is named twice", notes: [first]))
            return
        }
        defaultPlace = (fileIndex, place)
        builder.defaultRoute = UInt32(truncatingIfNeeded: builder.routeCount)
    }

    /// What is wrong with a name, and where: a fault of a name that was converted points to the whole of it.
    ///
    /// - Parameters:
    ///   - range: where the name stands in the file.
    ///   - name: its bytes alone, as they were judged.
    private static func explain(
        _ fault: HostNameFault, _ range: Range<Int>, _ name: Span<UInt8>, isConverted: Bool = false
    ) -> GrammarError {
        let at = range.lowerBound + min(Int(fault.byteOffset), range.count)
        let byte = isConverted ? range : at..<min(at + 1, range.upperBound)
        switch fault.reason {
        case .empty:
            return GrammarError(range, "a name is missing here")
        case .emptyLabel:
            return GrammarError(byte, "a name has no empty label")
        case .labelTooLong:
            return GrammarError(byte, "a label has at most \(HostName.labelBytesMax) bytes")
        case .tooLong:
            return GrammarError(byte, "a name has at most \(HostName.bytesMax) bytes")
        case .ipLiteral:
            return GrammarError(
                range, "an address is no name: clients send host names only",
                hint: "the default route `*` gets clients that send no name")
        case .controlByte, .blank, .nonASCIIByte:
            return GrammarError(byte, "this character cannot stand in a name")
        case .invalidByte:
            return explainInvalidByte(byte, Int(fault.byteOffset), name)
        }
    }

    private static func explainInvalidByte(
        _ byte: Range<Int>, _ offset: Int, _ name: Span<UInt8>
    ) -> GrammarError {
        guard offset < name.count else { return GrammarError(byte, "a character cannot stand in a name") }
        switch name[offset] {
        case UInt8(ascii: "*"):
            return GrammarError(
                byte, "a star stands for one whole label at the start", hint: "*.example.org")
        case UInt8(ascii: ":"):
            return GrammarError(
                byte, "a name has no port and no scheme",
                hint: "all names share the ports that `listen` opens")
        case UInt8(ascii: "="):
            return GrammarError(byte, "an option stands where the names belong", hint: "options come last")
        case UInt8(ascii: ";"):
            return GrammarError(byte, "names are separated by commas")
        default:
            return GrammarError(byte, "\(quoted(name, offset..<offset + 1)) cannot stand in a name")
        }
    }
}
