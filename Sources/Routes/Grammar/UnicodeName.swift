/// Turns a name with letters beyond ASCII (U-labels) into the form that stands in DNS and in SNI (A-labels).
///
/// The standard library knows no IDNA tables, so this keeps to a subset that is safe by construction: the
/// name is lower-cased, and then refused if any character would change under Unicode's NFKC case folding
/// (with the two exceptions that IDNA2008 makes, ß and ς), is neither letter, mark nor digit, or is a free
/// combining accent, whose composed form is what registries accept. Whoever needs a name that this refuses
/// writes its A-label.
package enum UnicodeName {
    /// The form of a name that stands in SNI, as somebody may type it; nil: it cannot have one.
    package static func ascii(_ name: String) -> String? {
        (try? ascii(name, at: 0..<0)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The A-label form of a whole name, lower case, as bytes. Labels that are ASCII stay as they are.
    ///
    /// - Throws: a sentence that says which character is to blame.
    static func ascii(_ name: String, at range: Range<Int>) throws(GrammarError) -> [UInt8] {
        var output: [UInt8] = []
        let labels = name.lowercased().split(separator: ".", omittingEmptySubsequences: false)
        for (index, label) in labels.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ".")) }
            let scalars = Array(label.unicodeScalars)
            if scalars.allSatisfy(\.isASCII) {
                output += scalars.map { UInt8($0.value) }
                continue
            }
            try check(scalars, at: range)
            guard let encoded = Punycode.encode(scalars) else {
                throw GrammarError(range, "the label `\(label)` cannot be encoded")
            }
            output += Array("xn--".utf8) + encoded
        }
        return output
    }

    private static func check(_ label: [Unicode.Scalar], at range: Range<Int>) throws(GrammarError) {
        let advice = "write the name's A-label (xn--…) instead"
        if label.count >= 4, label[2] == "-", label[3] == "-" {
            throw GrammarError(
                range, "a label with other than ASCII letters has no `--` in third place", hint: advice)
        }
        if label.first == "-" || label.last == "-" {
            throw GrammarError(range, "a label neither begins nor ends with a hyphen")
        }
        for (index, scalar) in label.enumerated() where !scalar.isASCII {
            let code =
                "U+" + String(repeating: "0", count: max(0, 4 - hexadecimal(scalar).utf8.count))
                + hexadecimal(scalar)
            if (0x300...0x36F).contains(scalar.value) {
                throw GrammarError(
                    range, "the accent \(code) stands apart from its letter",
                    hint: "write the composed letter, or the name's A-label (xn--…)")
            }
            guard isPermitted(scalar), !(index == 0 && isMark(scalar)) else {
                throw GrammarError(range, "the character \(code) cannot stand in a name", hint: advice)
            }
        }
    }

    private static func hexadecimal(_ scalar: Unicode.Scalar) -> String {
        String(scalar.value, radix: 16, uppercase: true)
    }

    private static func isPermitted(_ scalar: Unicode.Scalar) -> Bool {
        if scalar == "\u{DF}" || scalar == "\u{3C2}" { return true }
        // Old Hangul syllables written as single jamo: disallowed by RFC 5892, section 2.9.
        if (0x1100...0x11FF).contains(scalar.value) { return false }
        if scalar.properties.changesWhenNFKCCaseFolded { return false }
        switch scalar.properties.generalCategory {
        case .lowercaseLetter, .otherLetter, .modifierLetter, .decimalNumber: return true
        default: return isMark(scalar)
        }
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark: true
        default: false
        }
    }
}
