extension TreeManifest {
    /// How something is not as it is expected to be.
    package struct Difference: Equatable, Sendable, CustomStringConvertible {
        /// What differs.
        package enum Aspect: Hashable, Sendable {
            /// It is not there, or is there and should not be.
            case missing, extra
            /// It is a folder and not a file, say.
            case kind
            case content, target, time, mode, owner
            /// The file that it is another name of.
            case otherName
            /// The attribute of that name.
            case attribute([UInt8])

            fileprivate var words: String {
                switch self {
                case .missing: "missing"
                case .extra: "there and should not be"
                case .kind: "kind"
                case .content: "content"
                case .target: "target"
                case .time: "time"
                case .mode: "mode"
                case .owner: "owner"
                case .otherName: "set of names"
                case .attribute(let name): "attribute \(EscapedText.readable(name))"
                }
            }
        }

        /// Where.
        package var path: TreePath
        /// At least one.
        package var aspects: [Aspect]

        /// A sentence.
        package var description: String {
            if aspects == [.missing] || aspects == [.extra] { return "\(path) is \(aspects[0].words)" }
            return "\(path) differs in \(aspects.map(\.words).joined(separator: ", "))"
        }
    }

    /// The first differences between what is expected and what was found; of a folder that is missing or
    /// extra with all that is in it only the folder itself.
    package static func differences(
        expected: TreeManifest, found: TreeManifest, countMax: Int = 5
    ) -> [Difference] {
        var (left, right) = (expected.entries[...], found.entries[...])
        var differences: [Difference] = []
        while differences.count < countMax {
            switch (left.first, right.first) {
            case (nil, nil): return differences
            case (let wanted?, let there?) where wanted.path == there.path:
                let aspects = aspects(wanted, there)
                if !aspects.isEmpty { differences.append(Difference(path: wanted.path, aspects: aspects)) }
                left.removeFirst()
                right.removeFirst()
            case (let wanted?, let there) where there.map({ wanted.path < $0.path }) ?? true:
                differences.append(Difference(path: wanted.path, aspects: [.missing]))
                left = left.drop { $0.path.isWithin(wanted.path) }
            case (_, let there?):
                differences.append(Difference(path: there.path, aspects: [.extra]))
                right = right.drop { $0.path.isWithin(there.path) }
            case (_, nil): return differences
            }
        }
        return differences
    }

    private static func aspects(_ wanted: Entry, _ there: Entry) -> [Difference.Aspect] {
        var aspects: [Difference.Aspect] = []
        switch (wanted.content, there.content) {
        case (.folder, .folder), (.fifo, .fifo): break
        case (.file(let size, let modified, let digest), .file(let otherSize, let otherTime, let other)):
            // A changed content has another time as well; that says nothing more.
            if size != otherSize || digest != other {
                aspects.append(.content)
            } else if modified != otherTime {
                aspects.append(.time)
            }
        case (.link(let target, let modified), .link(let otherTarget, let otherTime)):
            if target != otherTarget {
                aspects.append(.target)
            } else if modified != otherTime {
                aspects.append(.time)
            }
        case (.same(let first), .same(let other)):
            return first == other ? [] : [.otherName]
        case (.same, .file), (.file, .same): return [.otherName]
        default: return [.kind]
        }
        if wanted.mode != there.mode { aspects.append(.mode) }
        if (wanted.user, wanted.group) != (there.user, there.group) { aspects.append(.owner) }
        let names = Set((wanted.attributes + there.attributes).map(\.name)).filter { name in
            wanted.attributes.first { $0.name == name } != there.attributes.first { $0.name == name }
        }
        return aspects
            + names.sorted { $0.lexicographicallyPrecedes($1) }.map { Difference.Aspect.attribute($0) }
    }
}
