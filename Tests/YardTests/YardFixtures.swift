import Foundation
import Support
import Testing
import YardKit

/// Recorded answers of the edge in Tests/Fixtures/yard, and what is made of them beside them;
/// SWITCHYARD_UPDATE_GOLDEN=1 writes the latter anew.
enum YardFixtures {
    static func path(_ name: String) -> String { Repository.path("Tests/Fixtures/yard/" + name) }

    /// The lines of an answer.
    static func answers(_ name: String) throws -> [JSONValue] {
        let text = try #require(TextFile.read(path(name + ".json")), "no fixture \(name)")
        return try text.split(separator: "\n").map { try JSONReader.read(Array($0.utf8)) }
    }

    static func answer(_ name: String) throws -> JSONValue { try #require(try answers(name).last) }

    /// The items of all lines.
    static func items(_ name: String) throws -> [[JSONValue]] {
        try answers(name).map { $0["items"].elements }
    }

    /// Compares with the golden file.
    static func expect(
        _ lines: [String], _ name: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let text = lines.joined(separator: "\n") + "\n"
        let file = path(name + ".expected")
        if ProcessInfo.processInfo.environment["SWITCHYARD_UPDATE_GOLDEN"] == "1" {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        }
        #expect(text == TextFile.read(file), "\(name)", sourceLocation: sourceLocation)
    }
}
