import Foundation
import Fuzzing
import Support
import Testing

/// The kept corpus, and seeded mutations of it. An input that breaks a rule ends the process; which one it
/// was stands in the line before (`SWITCHYARD_SEED` and the target replay it).
@Suite struct FuzzTests {
    /// The inputs that are kept for a target. Recorded hellos are those of the parser's own tests.
    static func corpus(_ target: FuzzTarget) throws -> [[UInt8]] {
        let name = target == .hello ? "hellos" : "corpus/\(target.rawValue)"
        let folder = Repository.path("Tests/Fixtures/\(name)")
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            .filter { target != .hello || $0.hasSuffix(".bin") }
            .map { Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)"))) }
    }

    @Test(arguments: FuzzTarget.allCases) func everyKeptInputKeepsTheRules(_ target: FuzzTarget) throws {
        let corpus = try Self.corpus(target)
        #expect(!corpus.isEmpty)
        for bytes in corpus {
            target.run(bytes)
            for count in bytes.indices.prefix(4096) { target.run(Array(bytes.prefix(count))) }
        }
    }

    @Test(arguments: FuzzTarget.allCases) func mutatedInputsKeepTheRules(_ target: FuzzTarget) throws {
        let corpus = try Self.corpus(target)
        let environment = ProcessInfo.processInfo.environment
        let replayed = environment["SWITCHYARD_SEED"].flatMap { UInt64($0) }
        let first = replayed ?? UInt64.random(in: 1...UInt64.max / 2)
        FileHandle.standardError.write(Data("fuzz \(target.rawValue): seeds from \(first)\n".utf8))
        let end = Date.now.addingTimeInterval(2)
        var seed = first
        repeat {
            var mutator = Mutator(seed: seed)
            target.run(mutator.input(from: corpus))
            seed += 1
        } while Date.now < end
        #expect(seed > first)
    }
}
