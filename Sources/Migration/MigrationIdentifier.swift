/// Names one attempt to migrate one site: 128 random bits that whoever begins it has drawn, as 32 lower-case
/// hexadecimal digits. It comes from a peer and becomes the name of a folder, so it is nothing else.
package struct MigrationIdentifier: Hashable, Codable, Sendable, CustomStringConvertible {
    package let description: String

    /// nil: these are not 32 lower-case hexadecimal digits.
    package init?(_ text: String) {
        guard text.utf8.count == 32, text.isLowerCaseHexadecimal else { return nil }
        description = text
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let identifier = Self(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a migration is named by 32 hexadecimal digits")
        }
        self = identifier
    }

    /// As its digits.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension String {
    var isLowerCaseHexadecimal: Bool {
        utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Whether this may be a digest or a challenge: of 16 to 64 bytes, as hexadecimal digits.
    var isDigest: Bool { (32...128).contains(utf8.count) && isLowerCaseHexadecimal }

    /// What a peer gave as a reason, fit to be kept and shown: short, on one line, without control
    /// characters.
    var asReason: String {
        let kept = unicodeScalars.prefix(300).map { scalar -> Character in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse: " "
            default: Character(scalar)
            }
        }
        return kept.isEmpty ? "no reason was given" : String(kept)
    }
}
