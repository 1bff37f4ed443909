import Foundation
import Migration
import NIOCore
import Peers
import Support
import YardKit

/// A hoster that gives a site away, and says and sends what it likes. One attempt after the other is of a
/// later epoch, as a true one's would be.
final class LyingOrigin {
    let site: String
    /// What it has of the site, as far as a true one would.
    let folder: TemporaryFolder
    var offer: MigrationOffer
    private let peer: RoguePeer
    private(set) var migration = LyingOrigin.draw()
    private(set) var epoch: UInt64 = 1

    /// The certificate that the offer is about.
    let certificate: RogueCertificate

    init(of site: String, _ peer: RoguePeer) throws {
        self.site = site
        self.peer = peer
        folder = try TemporaryFolder()
        certificate = try RogueCertificate(
            for: "given.example", from: "20260101000000Z", to: "20990101000000Z")
        offer = MigrationOffer(
            names: [site], product: nil, bytes: 10_000, files: 3, memoryBytes: .max,
            certificateFingerprint: certificate.fingerprint, certificateEndsSeconds: 4e9, image: nil)
        try folder.write("site/runme", Self.runme(of: site))
        try folder.write("site/tls/site.pem", certificate.pem)
        try folder.write("site/data/file", "data")
    }

    /// Digits for a migration or a challenge.
    private static func draw() -> MigrationIdentifier {
        let digits = (0..<32).map { _ in String(UInt8.random(in: 0...15), radix: 16) }.joined()
        guard let identifier = MigrationIdentifier(digits) else { preconditionFailure("32 digits are one") }
        return identifier
    }

    /// A runme that is taken; lines can be put in the place of others.
    static func runme(
        of site: String,
        start: String = "docker: { image: 'rogue:1', ports: { tls: 443 }, volumes: { data: /data } }",
        certificate: String = "tls/site.pem", more: String = ""
    ) -> String {
        """
        runme: 1
        domain: \(site)
        start: { \(start) }
        tls: { certificate: \(certificate) }
        \(more)

        """
    }

    // MARK: Asking

    /// Begins anew: nothing of the attempt before is left.
    func beginAnew() {
        migration = Self.draw()
        epoch += 2
    }

    /// What the hoster says to a request; its refusal as it refuses in the protocol, or before that.
    func ask(
        _ demand: MigrationRequest.Demand, as other: RoguePeer? = nil
    ) async throws -> MigrationAnswer.Outcome {
        let request = MigrationRequest(migration: migration, site: site, epoch: epoch, demand: demand)
        let end = ContinuousClock.now + .seconds(20)
        while true {
            let content: JSONValue
            do throws(PeerError) {
                content = try await (other ?? peer).ask("migration", JSONValue.rogue(request))
            } catch {
                guard error.kind == .refused else { throw error }
                return .refused(reason: error.text)
            }
            guard let answer = content.read(as: MigrationAnswer.self), answer.request == request else {
                throw ChildProcessError(description: "an answer that is none: \(content.line)")
            }
            if answer.outcome != .working || ContinuousClock.now > end { return answer.outcome }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The reason for which the hoster refuses; something else if it does not.
    func refusal(of demand: MigrationRequest.Demand, as other: RoguePeer? = nil) async throws -> String {
        let outcome = try await ask(demand, as: other)
        if case .refused(let reason) = outcome { return reason }
        return "it says \(outcome)"
    }

    /// Goes all the honest way until the first pass is open.
    func advance() async throws {
        for demand in [.offer(offer), .certificate] as [MigrationRequest.Demand] {
            let outcome = try await ask(demand)
            if outcome == .missing { try await sendCertificate() }
            guard outcome == .done || outcome == .missing else { throw Self.surprise(demand, outcome) }
        }
        for demand in [.certificate, .image, .copy(pass: 1)] as [MigrationRequest.Demand] {
            let outcome = try await ask(demand)
            guard outcome == .done else { throw Self.surprise(demand, outcome) }
        }
    }

    private static func surprise(
        _ demand: MigrationRequest.Demand, _ outcome: MigrationAnswer.Outcome
    ) -> ChildProcessError {
        ChildProcessError(description: "\(demand) is answered by \(outcome)")
    }

    /// Gives up, as every attempt ends.
    func release() async throws {
        let outcome = try await ask(.release)
        guard outcome == .done else { throw Self.surprise(.release, outcome) }
    }

    // MARK: Sending

    private func header(_ what: String, _ more: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(
            [
                JSONMember(name: "site", value: .string(site)),
                JSONMember(name: "migration", value: .string("\(migration)")),
                JSONMember(name: "what", value: .string(what)),
            ] + more.map { JSONMember(name: $0.key, value: $0.value) })
    }

    /// Sends certificate and runme; those of the folder, if nothing else is said.
    func sendCertificate(runme: String? = nil, _ pem: String? = nil) async throws(PeerError) {
        _ = try await peer.ask(
            "send",
            header(
                "certificate",
                [
                    "runme": .string(runme ?? folder.read("site/runme")),
                    "certificate": .string(pem ?? certificate.pem),
                ]))
    }

    /// Sends the file of an image.
    func sendImage(_ path: String, as image: String) async throws(PeerError) {
        let bytes = [UInt8](FileManager.default.contents(atPath: path) ?? Data())
        try await peer.send(header("image", ["image": .string(image), "last": .bool(true)])) {
            (stream) throws(PeerError) in
            try await stream.write(ByteBuffer(bytes: bytes))
        }
    }

    /// Copies the folder, or by other arguments of rsync.
    func copy(pass: Int, _ arguments: [String]? = nil, as other: RoguePeer? = nil) async throws(PeerError) {
        let arguments =
            arguments ?? ["-aHAX", "--no-D", "--delete", folder.path("site") + "/", "rsync://peer/site/"]
        try await (other ?? peer).send(header("copy", ["pass": .integer(pass)])) {
            (stream) throws(PeerError) in
            try await RogueCopy.send(arguments, through: stream)
        }
    }
}

/// What a request between peers is refused for; the empty text if it is not.
func refusal(_ work: () async throws(PeerError) -> Void) async -> String {
    do throws(PeerError) {
        try await work()
        return ""
    } catch {
        return error.text
    }
}
