import Archive
import Crypto
import Foundation
import Migration
import Peers
import Support
import Synchronization
import YardKit

/// One way to lie about a site that is taken.
struct Lie: Sendable {
    typealias Outcome = MigrationAnswer.Outcome

    /// What the operator is told at the end of `yard migrate`.
    var sentence: String
    /// Whether it is given up by itself; otherwise it waits for the operator.
    var isReverted = true
    /// Which request is answered and what: of an honest hoster's answer this makes another one.
    var answer: @Sendable (MigrationRequest, Outcome) -> MigrationAnswer

    init(
        _ sentence: String, isReverted: Bool = true,
        answer: @escaping @Sendable (MigrationRequest, Outcome) -> MigrationAnswer
    ) {
        self.sentence = sentence
        self.isReverted = isReverted
        self.answer = answer
    }

    /// Lies about what is asked for by this demand alone.
    static func about(
        _ demand: @escaping @Sendable (MigrationRequest.Demand) -> Bool, _ outcome: Outcome,
        _ sentence: String, isReverted: Bool = true
    ) -> Lie {
        Lie(sentence, isReverted: isReverted) { request, honest in
            MigrationAnswer(request: request, outcome: demand(request.demand) ? outcome : honest)
        }
    }
}

/// A hoster to whom a site is given, and who answers as a true one but for the lie of the moment. It takes
/// the data in by a real rsync, and starts nothing.
final class LyingDestination: Sendable {
    private let folder: TemporaryFolder
    private let now = Mutex<Lie?>(nil)

    init() throws { folder = try TemporaryFolder() }

    /// The lie from now on.
    func tell(_ lie: Lie) {
        now.withLock { $0 = lie }
        try? FileManager.default.removeItem(atPath: staging)
        try? FileManager.default.createDirectory(atPath: staging, withIntermediateDirectories: true)
    }

    private var staging: String { folder.path("site") }

    /// What it can be asked for.
    var methods: [PeerMethod] {
        [
            // That of the other real hoster.
            PeerMethod("edge", for: .offer) { _ in .answer(.object(["tls": .string("10.199.3.2:8443")])) },
            PeerMethod("consider", for: .offer) { _ in .answer(.null) },
            PeerMethod("migration", for: .offer) { self.answer($0.content) },
            PeerMethod("send", for: .offer) { request in
                guard request.content["what"].text == "copy" else {
                    return request.content["what"].text == "image"
                        ? .stream(.object(["have": .bool(true)])) { (_) throws(PeerError) in }
                        : .answer(.null)
                }
                return .stream(.null) { [staging = self.staging] (stream) throws(PeerError) in
                    try await RogueCopy.receive(into: staging, through: stream)
                }
            },
        ]
    }

    private func answer(_ content: JSONValue) -> PeerAnswer {
        guard let request = content.read(as: MigrationRequest.self), let lie = now.withLock({ $0 }) else {
            return .refusal("this is no request of a migration")
        }
        do {
            return .answer(JSONValue.rogue(lie.answer(request, try honest(request.demand))))
        } catch {
            return .refusal("\(error)")
        }
    }

    private func honest(_ demand: MigrationRequest.Demand) throws -> MigrationAnswer.Outcome {
        guard case .compare(let challenge) = demand else { return .done }
        let manifest = try TreeScan(path: staging).run().stillManifest()
        let sum = SHA256.hash(data: Array("\(challenge) \(manifest.digest)".utf8))
        return .manifest(
            digest: sum.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    }
}

extension MigrationRequest.Demand {
    var isOffer: Bool { if case .offer = self { true } else { false } }
    var isCompare: Bool { if case .compare = self { true } else { false } }
    var isGrant: Bool { if case .grant = self { true } else { false } }
}
