package import Linux
package import Routes

/// One session on its way from a worker of one process to a worker of the next: everything that it is made of
/// but its descriptors, which travel beside it. Pure; see `Worker+HandOver.swift` for who makes it and who
/// takes it.
package struct HandOverRecord {
    /// The version of all that two processes say to each other. A new field is a new version: an upgrade from
    /// or to another one is refused, and nothing has happened.
    package static let version: UInt32 = 1

    /// Where the session stands, and goes on: a ``Phase`` but for the first.
    package enum Stage: UInt8, CaseIterable, Sendable {
        /// It was accepted, and nobody has looked at it.
        case accepted = 1
        /// What comes first is not whole; what there is of it is in the client's direction.
        case proxyHeader, hello, head
        /// The hello is whole and there is no connection to a target; or there need not be a hello, and the
        /// target is known.
        case connecting
        /// As above, and it waits for a route until its deadline.
        case parked
        /// Bytes go both ways.
        case relaying
        /// The head of an HTTP request is whole and rewritten, and its target is known.
        case requesting
        /// An HTTP request goes to its target, and the answer back.
        case forwarding

        /// The stage of a session that goes on in a phase; nil: none goes on there.
        init?(_ phase: Phase) {
            guard let stage = Stage.allCases.first(where: { $0.phase == phase }) else { return nil }
            self = stage
        }

        /// Where it goes on; see ``Session/resumes``.
        package var phase: Phase {
            switch self {
            case .accepted: .free
            case .proxyHeader: .proxyHeader
            case .hello: .hello
            case .head: .head
            case .connecting: .connecting
            case .parked: .parked
            case .relaying: .relaying
            case .requesting: .requesting
            case .forwarding: .forwarding
            }
        }

        /// Whether there is a connection to a target.
        package var hasOrigin: Bool { self == .relaying || self == .forwarding }
        /// Whether it is an HTTP request with a target.
        package var isRequest: Bool { self == .requesting || self == .forwarding }
    }

    /// One direction.
    package struct Way {
        /// As ``Direction/takenCount``.
        package var takenCount: Int64 = 0
        /// As ``Direction/end``.
        package var end = Direction.End.open
        /// As ``Direction/isBulk``, ``Direction/streak`` and ``Direction/burstBytes``.
        package var isBulk = false
        package var streak: UInt8 = 0
        package var burstBytes: UInt32 = 0
        /// Bytes that were received and not yet sent.
        package var bytes: [UInt8] = []
        /// As many as that are in a pipe, whose two descriptors go along; 0: there is no pipe.
        package var pipedCount: UInt32 = 0

        /// A direction in which nothing has moved.
        package init() {}
    }

    /// See ``Stage``.
    package var stage: Stage
    /// As ``Session/listener``: the two processes number them alike.
    package var listener: UInt16 = 0
    /// As ``Session/source``.
    package var source = IPEndpoint(address: .v4(0), port: 0)
    /// When it was accepted and when its deadline is, by the monotonic clock, which all processes share.
    package var acceptedNanoseconds: UInt64 = 0
    package var dueNanoseconds: UInt64 = 0
    /// As in ``Session``.
    package var helloMicroseconds: UInt32 = 0
    package var routedMicroseconds: UInt32 = 0
    package var connectedMicroseconds: UInt32 = 0
    package var match = RouteMatch.Kind.none
    package var applicationProtocols: UInt8 = 0
    package var broken: Sides = []
    /// The name of the hello or the host of the request; empty: it has none.
    package var name: [UInt8] = []
    /// As ``Session/destination``: 18 bytes, or none.
    package var destination: [UInt8] = []
    /// The address of the target; no address: it is not known yet, or the session is not counted there.
    package var target = SocketAddress()
    /// As in ``Session``, of a request.
    package var wantsHeadOnly = false
    package var contentBytesLeft: UInt64 = 0
    /// As ``Session/terms``, and what they are; the identity stays behind.
    package var termKinds: SessionTerms = []
    package var terms = RouteTerms()
    /// From the client, and from the origin.
    package var up = Way()
    package var down = Way()

    /// A session that has nothing yet.
    package init(_ stage: Stage) { self.stage = stage }

    /// How many descriptors go along: the client, the origin, and for each pipe its reading and its writing
    /// end.
    package var descriptorCount: Int {
        (stage.hasOrigin ? 2 : 1) + (up.pipedCount > 0 ? 2 : 0) + (down.pipedCount > 0 ? 2 : 0)
    }

    /// More bytes than that are in no record.
    package static let bytesMax = 2 * BufferPool.strideBytes + 1024
}

extension HandOverRecord {
    /// The record as bytes.
    package var encoded: [UInt8] {
        var writer = HandOverWriter()
        writer.append(stage.rawValue)
        writer.append(listener)
        writer.append(source)
        writer.append(acceptedNanoseconds)
        writer.append(dueNanoseconds)
        writer.append(helloMicroseconds)
        writer.append(routedMicroseconds)
        writer.append(connectedMicroseconds)
        writer.append(match.rawValue)
        writer.append(applicationProtocols)
        writer.append(broken.rawValue)
        writer.append(name)
        writer.append(destination)
        writer.append(target)
        writer.append(wantsHeadOnly ? 1 : 0 as UInt8)
        writer.append(contentBytesLeft)
        writer.append(termKinds.rawValue)
        for number in [
            terms.fingerprint, terms.idleNanoseconds, terms.drainNanoseconds, terms.endNanoseconds,
        ] {
            writer.append(number)
        }
        for way in [up, down] {
            writer.append(UInt64(bitPattern: way.takenCount))
            writer.append(way.end.rawValue)
            writer.append(way.isBulk ? 1 : 0 as UInt8)
            writer.append(way.streak)
            writer.append(way.burstBytes)
            writer.append(way.bytes)
            writer.append(way.pipedCount)
        }
        return writer.bytes
    }

    /// Reads a record. Whatever the bytes are, the answer is a session that can be, or a fault.
    package init(_ bytes: [UInt8]) throws(HandOverFault) {
        var reader = HandOverReader(bytes)
        self.init(try reader.takeCase("stage", Stage.self))
        listener = try reader.take(UInt16.self)
        source = try reader.takeEndpoint("client")
        acceptedNanoseconds = try reader.take(UInt64.self)
        dueNanoseconds = try reader.take(UInt64.self)
        helloMicroseconds = try reader.take(UInt32.self)
        routedMicroseconds = try reader.take(UInt32.self)
        connectedMicroseconds = try reader.take(UInt32.self)
        match = try reader.takeCase("match", RouteMatch.Kind.self)
        applicationProtocols = try reader.take(UInt8.self)
        broken = Sides(rawValue: try reader.take("broken sides", upTo: 3))
        name = try reader.takeBytes("name", upTo: 253)
        destination = try reader.takeBytes("destination", upTo: 18)
        guard destination.isEmpty || destination.count == 18 else { throw .invalid("destination") }
        target = try reader.takeAddress("target")
        wantsHeadOnly = try reader.take("request", upTo: 1 as UInt8) == 1
        contentBytesLeft = try reader.take("content", upTo: Self.countMax)
        termKinds = SessionTerms(rawValue: try reader.take("terms", upTo: 15))
        terms.fingerprint = try reader.take(UInt64.self)
        terms.idleNanoseconds = try reader.take("idle time", upTo: Self.countMax)
        terms.drainNanoseconds = try reader.take("drain time", upTo: Self.countMax)
        terms.endNanoseconds = try reader.take(UInt64.self)
        up = try Self.way(&reader)
        down = try Self.way(&reader)
        try reader.finish()
        try checkStage()
    }

    private static func way(_ reader: inout HandOverReader) throws(HandOverFault) -> Way {
        var way = Way()
        way.takenCount = Int64(bitPattern: try reader.take(UInt64.self))
        guard way.takenCount >= -Int64(BufferPool.headroomBytes), way.takenCount <= Int64(Self.countMax)
        else { throw .invalid("count of bytes") }
        way.end = try reader.takeCase("end", Direction.End.self)
        way.isBulk = try reader.take("bulk", upTo: 1 as UInt8) == 1
        way.streak = try reader.take(UInt8.self)
        way.burstBytes = try reader.take(UInt32.self)
        way.bytes = try reader.takeBytes("buffer", upTo: BufferPool.strideBytes)
        // Far more than any pipe holds (pipe-max-size(7) is 1 MiB).
        way.pipedCount = try reader.take("pipe", upTo: 1 << 28)
        guard way.bytes.isEmpty || way.pipedCount == 0 else { throw .invalid("pipe") }
        let isFinal = way.end == .passedOn || way.end == .dropped
        guard !isFinal || (way.bytes.isEmpty && way.pipedCount == 0) else { throw .invalid("end") }
        return way
    }

    /// Below this no count overflows in a process's life.
    private static let countMax: UInt64 = 1 << 62

    /// What a stage says of the rest.
    private func checkStage() throws(HandOverFault) {
        switch stage {
        case .accepted, .proxyHeader, .hello, .head, .connecting, .parked, .requesting: try checkUnconnected()
        case .relaying, .forwarding: try checkConnected()
        }
        guard stage.isRequest else {
            guard up.end != .enough, contentBytesLeft == 0 else { throw .invalid("content") }
            return
        }
        // Of a request no more is taken than it has.
        guard !up.isBulk, up.pipedCount == 0 else { throw .invalid("content") }
        guard up.end != .open || contentBytesLeft > 0, up.end != .enough || contentBytesLeft == 0 else {
            throw .invalid("content")
        }
    }

    private func checkUnconnected() throws(HandOverFault) {
        guard up.end == .open || (stage == .requesting && up.end == .enough), up.takenCount == 0,
            up.pipedCount == 0
        else { throw .invalid("hello") }
        guard down.end == .open, down.takenCount == 0, down.pipedCount == 0, down.bytes.isEmpty else {
            throw .invalid("answer")
        }
        // A `listen tcp` looks at no name and needs no bytes.
        let isTCP = stage == .connecting && match == .none
        let mustHaveBytes = stage == .parked || stage == .requesting || (stage == .connecting && !isTCP)
        guard !mustHaveBytes || !up.bytes.isEmpty, stage != .accepted || up.bytes.isEmpty else {
            throw .invalid("hello")
        }
        guard target.family == 0 || isTCP || stage == .requesting else { throw .invalid("target") }
    }

    private func checkConnected() throws(HandOverFault) {
        let isUpFinal = up.end == .passedOn || up.end == .dropped
        let isDownFinal = down.end == .passedOn || down.end == .dropped
        guard !isUpFinal || !isDownFinal else { throw .invalid("end") }
        guard down.end != .enough else { throw .invalid("end") }
    }
}

extension HandOverRecord {
    /// No record begins with it.
    private static let endMark: UInt8 = 0

    /// What follows the last of so many sessions.
    package static func end(afterSessions count: Int) -> [UInt8] {
        var writer = HandOverWriter()
        writer.append(endMark)
        writer.append(UInt64(count))
        return writer.bytes
    }

    /// The count of sessions, if these bytes end them.
    package static func sessions(atEnd bytes: [UInt8]) -> Int? {
        guard bytes.first == endMark, bytes.count == 9 else { return nil }
        var reader = HandOverReader(Array(bytes.dropFirst()))
        return (try? reader.take(UInt64.self)).flatMap { Int(exactly: $0) }
    }
}
