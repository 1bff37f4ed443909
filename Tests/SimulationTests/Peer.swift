import CLinux
import DataPlane
import Linux

/// What one end of a connection does, as chance has written it.
struct PeerScript {
    /// When everything is sent.
    enum Last: Equatable {
        /// Ends in order, and reads on.
        case finish
        /// The same, but not before the other side has ended: the half-close goes the other way round.
        case finishAfterOther
        /// Closes at once, whether or not there is more to read.
        case close
        case reset
        /// Neither reads nor writes any more.
        case vanish
        /// Reads, and never ends.
        case linger
    }

    enum Reading: Equatable {
        case eager
        /// So many bytes at most each so many nanoseconds.
        case slow(chunkBytes: Int, gapNanoseconds: Int)
        /// Nothing more after so many bytes.
        case stalls(afterBytes: Int)
    }

    enum Chaos: Equatable { case reset, timeOut, vanish, close, finish }

    var stream: ByteStream
    /// The prefix goes in chunks of its own sizes.
    var prefixChunkMax = 1 << 20
    var chunkMax = 65_536
    var gapNanosecondsMax = 1_000_000
    /// Sends nothing before so many bytes have come.
    var startsAfterBytes = 0
    var last = Last.finish
    var reading = Reading.eager
    /// Something unforeseen at a certain time.
    var chaos: (kind: Chaos, afterNanoseconds: UInt64)?
    /// That time runs from the end of the prefix, so that it finds a client's session without a read.
    var isChaosAfterPrefix = false
    /// Goes on sending although it was refused.
    var isStubborn = false

    /// Whether it does all that can be asked of a peer.
    var isGentle: Bool {
        guard chaos == nil, last == .finish || last == .finishAfterOther else { return false }
        if case .stalls = reading { return false }
        return true
    }
}

/// One end of a connection: a client, or an origin's end.
final class Peer {
    let connection: Int
    let script: PeerScript
    let startNanoseconds: UInt64

    /// Bytes that its kernel took, and bytes that it has read.
    private(set) var sentCount = 0
    private(set) var receivedCount = 0
    private(set) var hasFinished = false
    /// It has reset the connection, or its kernel did in its name.
    private(set) var hasReset = false
    private(set) var hasClosed = false
    private(set) var hasVanished = false
    /// What it saw of the other side.
    private(set) var sawEnd = false
    private(set) var sawReset = false
    /// What came first, when it is not a relayed stream: the worker's own answer.
    private(set) var refusal: [UInt8] = []

    /// When the prefix was sent.
    private var prefixNanoseconds: UInt64?
    private var nextSendNanoseconds: UInt64
    private var nextReadNanoseconds: UInt64 = .max
    /// A slow reader does not read before then.
    private var pauseNanoseconds: UInt64 = 0
    private var retryNanoseconds: UInt64 = 100_000

    init(connection: Int, script: PeerScript, nowNanoseconds: UInt64) {
        self.connection = connection
        self.script = script
        startNanoseconds = nowNanoseconds
        nextSendNanoseconds = nowNanoseconds
    }

    /// Does nothing any more.
    var isOver: Bool { hasVanished || hasReset || hasClosed || sawReset }
    var wasRefused: Bool { !refusal.isEmpty }
    var hasSentPrefix: Bool { sentCount >= script.stream.prefix.count }
    /// Whether it has ended its connection otherwise than in order.
    var hasBroken: Bool { hasReset || hasClosed }

    private var chaosNanoseconds: UInt64 {
        guard let chaos = script.chaos else { return .max }
        guard script.isChaosAfterPrefix else { return startNanoseconds + chaos.afterNanoseconds }
        return prefixNanoseconds.map { $0 + chaos.afterNanoseconds } ?? .max
    }

    /// When it wants to act next.
    var nextNanoseconds: UInt64 {
        isOver ? .max : min(nextSendNanoseconds, nextReadNanoseconds, chaosNanoseconds)
    }

    // MARK: Acting

    func act(_ world: World) {
        let now = world.nowNanoseconds
        if chaosNanoseconds <= now, let chaos = script.chaos {
            suffer(chaos.kind, world)
            return
        }
        if nextReadNanoseconds <= now, case .slow(let chunkBytes, let gapNanoseconds) = script.reading {
            nextReadNanoseconds = .max
            pauseNanoseconds = now + UInt64(world.random.number(in: 0...gapNanoseconds))
            read(max: world.random.number(in: 1...chunkBytes), world)
        }
        if nextSendNanoseconds <= now, !isOver { send(world) }
    }

    private func suffer(_ chaos: PeerScript.Chaos, _ world: World) {
        switch chaos {
        case .reset: reset(world)
        case .timeOut:
            world.worker.backend.peerReset(connection, error: ETIMEDOUT)
            hasReset = true
        case .vanish: hasVanished = true
        case .close: close(world)
        case .finish:
            finish(world)
            hasVanished = true
        }
    }

    private func send(_ world: World) {
        let isWaiting = receivedCount < script.startsAfterBytes && !sawEnd
        guard !isWaiting, !wasRefused || script.isStubborn else {
            nextSendNanoseconds = .max
            return
        }
        guard sentCount < script.stream.count else {
            finishSending(world)
            return
        }
        let view = world.worker.backend.peerView(connection)
        guard !view.isMarkedReset else {
            nextSendNanoseconds = .max
            return
        }
        let isPrefix = sentCount < script.stream.prefix.count
        var count = world.random.magnitude(in: 1...(isPrefix ? script.prefixChunkMax : script.chunkMax))
        count = min(count, view.roomCount, script.stream.count - sentCount)
        guard count > 0 else {
            nextSendNanoseconds = world.nowNanoseconds + retryNanoseconds
            retryNanoseconds = min(2 * retryNanoseconds, 1_000_000_000)
            return
        }
        retryNanoseconds = 100_000
        let bytes = script.stream.bytes(from: sentCount, count: count)
        sentCount += world.worker.backend.peerSend(connection, bytes)
        if hasSentPrefix, prefixNanoseconds == nil { prefixNanoseconds = world.nowNanoseconds }
        let gap = world.random.magnitude(in: 1...script.gapNanosecondsMax)
        nextSendNanoseconds = world.nowNanoseconds + UInt64(gap)
    }

    private func finishSending(_ world: World) {
        nextSendNanoseconds = .max
        switch script.last {
        case .finish: finish(world)
        case .finishAfterOther: if sawEnd { finish(world) }
        case .close: close(world)
        case .reset: reset(world)
        case .vanish: hasVanished = true
        case .linger: break
        }
    }

    private func finish(_ world: World) {
        guard !hasFinished else { return }
        hasFinished = true
        world.worker.backend.peerFinish(connection)
        if sawEnd { close(world) }
    }

    private func reset(_ world: World) {
        world.worker.backend.peerReset(connection)
        hasReset = true
    }

    private func close(_ world: World) {
        // With unread bytes the kernel makes a reset of it.
        if world.worker.backend.peerView(connection).unreadCount > 0 { hasReset = true }
        world.worker.backend.peerClose(connection)
        hasFinished = true
        hasClosed = true
    }

    // MARK: Reading

    /// Looks at what the worker has sent, after each turn.
    func look(_ world: World) {
        guard !isOver else { return }
        switch script.reading {
        case .eager: read(max: .max, world)
        case .slow:
            lookForEnd(world)
            let isIdle = world.worker.backend.peerView(connection).unreadCount == 0
            nextReadNanoseconds = isIdle ? .max : max(pauseNanoseconds, world.nowNanoseconds)
        case .stalls(let afterBytes):
            if receivedCount < afterBytes { read(max: afterBytes - receivedCount, world) }
            lookForEnd(world)
        }
    }

    /// The worker is no more: what it has sent is read, but for those who do not read.
    func readRest(_ world: World) {
        guard !isOver else { return }
        if case .stalls = script.reading { look(world) } else { read(max: .max, world) }
    }

    private func read(max count: Int, _ world: World) {
        let bytes = world.worker.backend.peerReceive(connection, max: count)
        if !bytes.isEmpty { take(bytes, world) }
        lookForEnd(world)
    }

    private func lookForEnd(_ world: World) {
        let view = world.worker.backend.peerView(connection)
        if view.isEnded, !sawEnd {
            sawEnd = true
            world.judge.sawEnd(self)
            nextSendNanoseconds = min(nextSendNanoseconds, world.nowNanoseconds)
            if hasFinished || wasRefused { close(world) }
        }
        if view.isReset, !sawReset {
            sawReset = true
            world.judge.sawReset(self)
        }
    }

    private func take(_ bytes: [UInt8], _ world: World) {
        let isFirst = receivedCount == 0
        if wasRefused || (isFirst && world.judge.isAnswer(bytes, to: self)) {
            refusal += bytes
        } else {
            world.judge.compare(bytes, at: receivedCount, of: self)
        }
        receivedCount += bytes.count
        if sawEnd { world.judge.fail("connection \(connection) was given bytes after its end") }
        let isAwaited = receivedCount >= script.startsAfterBytes && nextSendNanoseconds == .max
        if isAwaited, sentCount < script.stream.count { nextSendNanoseconds = world.nowNanoseconds }
    }
}
