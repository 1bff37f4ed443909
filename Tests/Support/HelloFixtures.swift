import Foundation

/// A recorded first flight of a real client, and what it must parse to. See
/// `Tests/Fixtures/hellos/hellos.txt`.
package struct HelloFixture: Sendable, CustomStringConvertible {
    /// Name of the file without its end.
    package let file: String
    /// The flight as it came: the hello and, rarely, early data behind it.
    package let bytes: [UInt8]
    /// The name expected, nil for none.
    package let name: String?
    /// The protocols offered.
    package let applicationProtocols: Set<String>
    package let offersPostQuantum: Bool
    package let offersECH: Bool
    package let offersEarlyData: Bool

    package var description: String { file }

    /// All of them, in the order of the table. Traps when the table or a file cannot be read.
    package static let all: [HelloFixture] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/hellos")
        guard
            let table = try? String(contentsOf: folder.appendingPathComponent("hellos.txt"), encoding: .utf8)
        else {
            preconditionFailure("the table of recorded hellos is missing")
        }
        return table.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let words = line.split(separator: " ").map(String.init)
            precondition(words.count >= 5, "a line of the table of hellos has five columns: \(line)")
            guard let bytes = try? Data(contentsOf: folder.appendingPathComponent(words[0] + ".bin")) else {
                preconditionFailure("the recorded hello \(words[0]).bin is missing")
            }
            let list = { (word: String) -> Set<String> in
                Set(word == "-" ? [] : word.split(separator: ",").map(String.init))
            }
            let marks = list(words[3])
            return HelloFixture(
                file: words[0], bytes: Array(bytes), name: words[1] == "-" ? nil : words[1],
                applicationProtocols: list(words[2]), offersPostQuantum: marks.contains("pq"),
                offersECH: marks.contains("ech"), offersEarlyData: marks.contains("early"))
        }
    }()
}
