import Foundation
import NIOCore
import NIOSSL
import Synchronization

/// What was found out about the other end of a connection while TLS shook hands.
final class Admission: Sendable {
    enum Value: Sendable {
        /// No certificate was checked.
        case unknown
        /// It is a peer.
        case peer(Peer)
        /// It is none, and there are invitations open.
        case stranger(Fingerprint)
        /// It would be one of these, but its certificate is out of its time.
        case outOfTime(PeerError)
    }

    private let found = Mutex(Value.unknown)

    var value: Value {
        get { found.withLock { $0 } }
        set { found.withLock { $0 = newValue } }
    }
}

/// An identity, ready for TLS.
struct Secrets: Sendable {
    let identity: Identity
    let context: NIOSSLContext

    init(_ identity: Identity, _ limits: PeerLimits) throws(PeerError) {
        self.identity = identity
        context = try identity.securityContext(
            protocols: [PeerProtocol.peer, PeerProtocol.join], limits: limits)
    }
}

/// Where connections come in: gives them places, and looks at certificates.
final class Hall: Sendable {
    private struct Contents {
        var places: Places
        var channels: [Int: any Channel] = [:]
        var secrets: Secrets
        var count = 0
        var isClosed = false
    }

    private let contents: Mutex<Contents>
    private let limits: PeerLimits
    private let book: any PeerBook
    private let arrivals: AsyncStream<PeerServer.Arrival>.Continuation

    init(
        _ secrets: Secrets, _ limits: PeerLimits, book: any PeerBook,
        _ arrivals: AsyncStream<PeerServer.Arrival>.Continuation
    ) {
        contents = Mutex(Contents(places: Places(limits), secrets: secrets))
        self.limits = limits
        self.book = book
        self.arrivals = arrivals
    }

    var secrets: Secrets {
        get { contents.withLock { $0.secrets } }
        set { contents.withLock { $0.secrets = newValue } }
    }

    /// Makes a connection of an accepted channel, or throws, which closes it.
    func enter(_ channel: any Channel) throws {
        let source = channel.remoteAddress?.ipAddress
        let (number, verdict, gone) = contents.withLock { contents in
            contents.count += 1
            let verdict =
                contents.isClosed
                ? .refused : contents.places.arrive(contents.count, from: connectionSource(source))
            if verdict != .refused { contents.channels[contents.count] = channel }
            var gone: (any Channel)?
            if case .instead(let other) = verdict { gone = contents.channels.removeValue(forKey: other) }
            return (contents.count, verdict, gone)
        }
        gone?.close(promise: nil)
        guard verdict != .refused else { throw ChannelError.eof }
        channel.closeFuture.whenComplete { _ in self.leave(number) }
        let admission = Admission()
        let tls = NIOSSLServerHandler(context: secrets.context) { chain, promise in
            self.check(chain, admission, promise)
        }
        let connection = try PeerConnection(
            on: channel, tls: tls, verdict: Verdict(), place: Place(name: nil, at: source ?? "a stranger"),
            limits: limits)
        arrivals.yield(
            PeerServer.Arrival(
                number: number, source: source ?? "?", connection: connection, admission: admission))
    }

    /// One has shown that it is a peer.
    func admit(_ number: Int, as fingerprint: Fingerprint) -> Bool {
        contents.withLock { $0.places.admit(number, as: fingerprint) }
    }

    private func leave(_ number: Int) {
        contents.withLock { contents in
            contents.places.leave(number)
            contents.channels[number] = nil
        }
    }

    func disconnect(_ fingerprint: Fingerprint) {
        let gone = contents.withLock { contents in
            contents.places.forget(fingerprint).compactMap { contents.channels[$0] }
        }
        for channel in gone { channel.close(promise: nil) }
    }

    /// Nobody comes in any more, and all go.
    func close() {
        let all = contents.withLock { contents in
            contents.isClosed = true
            return Array(contents.channels.values)
        }
        arrivals.finish()
        for channel in all { channel.close(promise: nil) }
    }

    // MARK: Certificates

    private func check(
        _ chain: [NIOSSLCertificate], _ admission: Admission,
        _ promise: EventLoopPromise<NIOSSLVerificationResult>
    ) {
        guard let shown = ShownCertificate(chain) else {
            promise.succeed(.failed)
            return
        }
        let book = book
        Task {
            let found = await Self.admission(of: shown, by: book, at: Date())
            admission.value = found
            if case .unknown = found {
                promise.succeed(.failed)
            } else {
                promise.succeed(.certificateVerified)
            }
        }
    }

    private static func admission(
        of shown: ShownCertificate, by book: any PeerBook, at now: Date
    ) async -> Admission.Value {
        do throws(PeerError) {
            let peer = try await book.peer(with: shown.fingerprint)
            if peer == nil {
                let isAnyOpen = try await book.invitations().contains { $0.isOpen(at: now) }
                guard isAnyOpen else { return .unknown }
            }
            if let error = PeerError.outOfTime("your certificate", shown.validity, at: now) {
                return .outOfTime(error)
            }
            return peer.map { .peer($0) } ?? .stranger(shown.fingerprint)
        } catch {
            return .unknown
        }
    }
}
