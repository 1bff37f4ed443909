import DataPlane
import Foundation
import Support
import Testing

/// The diagrams and tables of LIFECYCLE.md against the code, so that the text cannot drift.
@Suite struct PhaseTests {
    private struct Transition: Hashable {
        let from: String
        let to: String
    }

    private func lifecycle() throws -> [Substring] {
        let text = try #require(TextFile.read(Repository.path("Sources/DataPlane/Session/LIFECYCLE.md")))
        return text.split(separator: "\n")
    }

    /// Lines of the form `a --> b : why`.
    private func drawn(_ lines: [Substring]) -> [Transition] {
        lines.compactMap { line in
            let words = line.split(separator: " ")
            guard words.count >= 3, words[1] == "-->" else { return nil }
            return Transition(from: String(words[0]), to: String(words[2]))
        }
    }

    @Test("The diagram has exactly the transitions that the code allows, out of all pairs of phases")
    func diagram() throws {
        var allowed: Set<Transition> = []
        for phase in Phase.allCases {
            for next in Phase.allCases where phase.allows(next) {
                allowed.insert(Transition(from: "\(phase)", to: "\(next)"))
            }
        }
        let drawn = drawn(try lifecycle())
        #expect(Set(drawn).count == drawn.count, "each transition is drawn once")
        #expect(Set(drawn).subtracting(allowed) == [], "drawn, but not allowed")
        #expect(allowed.subtracting(drawn) == [], "allowed, but not drawn")
    }

    @Test("Every session that began can be closed, and a slot is used again only through closing")
    func reachable() {
        for phase in Phase.allCases {
            #expect(phase.allows(.closing) == (phase != .free && phase != .closing))
            #expect(phase.allows(.free) == (phase == .closing))
            let isFirst = phase == .free || phase == .proxyHeader || phase == .handingOver
            #expect(phase.allows(.hello) == isFirst)
            #expect(phase.allows(.head) == isFirst)
            #expect(
                phase.allows(phase) == (phase == .connecting), "only a target is followed by the next one")
        }
    }

    @Test("Entering a phase takes each allowed way")
    func enters() {
        for phase in Phase.allCases {
            for next in Phase.allCases where phase.allows(next) {
                var session = Session()
                session.phase = phase
                session.enter(next)
                #expect(session.phase == next)
            }
        }
    }

    @Test("Entering a phase in a way that is not allowed stops the process")
    func stops() async {
        await #expect(processExitsWith: .failure) {
            var session = Session()
            session.enter(.relaying)
        }
        await #expect(processExitsWith: .failure) {
            var session = Session()
            session.enter(.hello)
            session.enter(.closing)
            session.enter(.hello)
        }
    }

    @Test(
        "The table of endings names each once, by its word in the log, with phases that it can come from"
    )
    func endings() throws {
        // Rows of the form | `word` | phase, phase | … |
        let rows = try lifecycle().filter { $0.hasPrefix("| `") }
            .map { $0.split(separator: "|").map { $0.filter { !" `".contains($0) } } }
        let words = Ending.allCases.filter { $0 != .none }.map { "\($0.word)" }
        #expect(Set(words).count == words.count, "no two endings share a word")
        #expect(rows.map { $0[0] }.sorted() == words.sorted())
        for row in rows {
            for name in row[1].split(separator: ",") {
                let phase = Phase.allCases.first { "\($0)" == name }
                #expect(phase?.allows(.closing) == true, "\(row[0]) comes from \(name)")
            }
        }
    }

    @Test("The names that LIFECYCLE.md refers to are names of the code")
    func names() throws {
        let folder = Repository.path("Sources/DataPlane")
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder).filter {
            $0.hasSuffix(".swift")
        }
        // This file's own target is named, too.
        let code =
            files.compactMap { TextFile.read(folder + "/" + $0) }.joined()
            + "SessionTests HelloParser HTTPRequestHeadParser"
        for line in try lifecycle() where !line.hasPrefix("| `") && !line.hasPrefix("```") {
            for (place, part) in line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            where place % 2 == 1 {
                let name = part.split(separator: ".").last ?? ""
                #expect(!name.isEmpty && code.contains(name), "`\(part)` is not in the code")
            }
        }
    }

    @Test("A fresh session is a free slot with two open directions, no socket and no target")
    func fresh() {
        let session = Session()
        #expect(session.phase == .free)
        #expect(session.ending == .none)
        #expect(session.client == -1 && session.origin == -1 && session.target == -1)
        #expect(session.label == .none && session.inFlight == 0)
        #expect(session[.client].interest == .receive && session[.origin].interest == .receive)
        #expect(!session.isDone && !session.isHalfClosed)
    }

    @Test("A session is half closed with one final direction, and done with two")
    func halfClosed() {
        for end in [Direction.End.passedOn, .dropped] {
            for side in [Side.client, .origin] {
                var session = Session()
                session[side].end = .ended
                #expect(!session.isHalfClosed, "the end is not passed on yet")
                session[side].end = end
                #expect(session.isHalfClosed && !session.isDone)
                session[side.other].end = .broken
                #expect(session.isHalfClosed && !session.isDone)
                session[side.other].end = end
                #expect(!session.isHalfClosed && session.isDone)
            }
        }
    }

    @Test("A token keeps slot, generation, kind and side apart, at their largest too")
    func tokens() {
        let kinds = (0...8 as ClosedRange<UInt8>).compactMap(OperationKind.init)
        #expect(kinds.count == 9)
        for slot in [0, 1, 0x7fff_ffff, UInt32.max] {
            for generation in [0, 1, Token.generationMax] {
                for side in [Side.client, .origin] {
                    let owner = Token(slot: slot, generation: generation, side: side)
                    for kind in kinds {
                        let token = owner.with(kind)
                        #expect(token.slot == slot && token.generation == generation)
                        #expect(token.side == side && token.kind == kind)
                        let whole = Token(slot: slot, generation: generation, kind: kind, side: side)
                        #expect(token == whole && token.with(.none) == owner)
                    }
                }
            }
        }
        let wrapped = Token(slot: 1, generation: Token.generationMax + 1)
        #expect(wrapped.generation == 0 && wrapped.slot == 1)
    }
}
