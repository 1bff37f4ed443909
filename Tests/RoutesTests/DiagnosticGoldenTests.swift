import Foundation
import Routes
import Testing

/// Each file `NAME.conf` or `NAME.routes` in Tests/Fixtures/diagnostics has its expected diagnostics in
/// `NAME.conf.expected` or `NAME.routes.expected`; SWITCHYARD_UPDATE_GOLDEN=1 writes those anew.
@Suite struct DiagnosticGoldenTests {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let folder = root.appending(path: "Tests/Fixtures/diagnostics")

    private static let inputs: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".conf") || $0.hasSuffix(".routes") }.sorted()
    }()

    private static func read(_ url: URL) throws -> [UInt8] { [UInt8](try Data(contentsOf: url)) }

    private static func diagnostics(_ file: SourceFile) -> String {
        do throws(InvalidSource) {
            if file.path.hasSuffix(".conf") { return try Configuration.parse(file).warnings.rendered }
            return try RouteCompiler.compile([file], seed: testSeed).warnings.rendered
        } catch {
            return error.diagnostics.rendered
        }
    }

    @Test func `There are golden files for both grammars`() {
        #expect(Self.inputs.contains { $0.hasSuffix(".conf") })
        #expect(Self.inputs.contains { $0.hasSuffix(".routes") })
    }

    @Test(arguments: inputs)
    func `Diagnostics are as the golden file has them`(name: String) throws {
        let file = SourceFile(path: name, bytes: try Self.read(Self.folder.appending(path: name)))
        let found = Self.diagnostics(file)
        let expectedURL = Self.folder.appending(path: name + ".expected")
        if ProcessInfo.processInfo.environment["SWITCHYARD_UPDATE_GOLDEN"] == "1" {
            try Data(found.utf8).write(to: expectedURL)
        }
        #expect(found == String(decoding: try Self.read(expectedURL), as: UTF8.self))
    }

    @Test(arguments: ["conf/switchyard.conf", "conf/routes.d/example.routes"])
    func `The example configuration has neither errors nor warnings`(path: String) throws {
        let file = SourceFile(path: path, bytes: try Self.read(Self.root.appending(path: path)))
        #expect(Self.diagnostics(file) == "")
    }

    @Test func `The defaults that the example shows in comments are the defaults`() throws {
        let bytes = try Self.read(Self.root.appending(path: "conf/switchyard.conf"))
        let shown = String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap {
            line -> String? in
            for word in ["workers", "io", "control", "limit", "timeout"] where line.hasPrefix("#\(word) ") {
                return String(line.dropFirst())
            }
            return nil
        }
        #expect(shown.count == 5)
        let text = "listen tls 0.0.0.0:1\nroutes r\n" + shown.joined(separator: "\n")
        let configuration = try Configuration.parse(SourceFile(path: "c", text: text)).configuration
        #expect(configuration.limits == ConfigurationLimits())
        #expect(configuration.timeouts == ConfigurationTimeouts())
        #expect(configuration.controlPath == Configuration().controlPath)
    }
}
