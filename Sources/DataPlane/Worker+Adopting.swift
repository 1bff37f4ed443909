import Linux
import Routes
import Wire

/// The taking side of an upgrade: sessions come from a worker of the process before, and stand still until
/// that has given them up.
extension Worker where Backend: ~Copyable {
    mutating func adoptSessions(from channel: HandOverChannel) {
        do throws(HandOverFailure) {
            channel.finish(.done(sessions: try takeSessions(channel)))
        } catch {
            channel.finish(.failed(error.words))
        }
    }

    private mutating func takeSessions(_ channel: HandOverChannel) throws(HandOverFailure) -> Int {
        var count = 0
        while true {
            let packet = try HandOverFailure.naming { () throws(Errno) in try channel.receive() }
            guard let packet else { throw HandOverFailure("the other process has gone") }
            if let announced = HandOverRecord.sessions(atEnd: packet.bytes) {
                guard announced == count else {
                    throw HandOverFailure("\(count) sessions came of \(announced)")
                }
                return count
            }
            try take(packet)
            count += 1
        }
    }

    private mutating func take(_ packet: Packet) throws(HandOverFailure) {
        let record: HandOverRecord
        do throws(HandOverFault) {
            record = try HandOverRecord(packet.bytes)
        } catch {
            throw HandOverFailure("the other process sent \(error.words)")
        }
        guard packet.descriptors.count == record.descriptorCount else {
            throw HandOverFailure("a session came with \(packet.descriptors.count) descriptors")
        }
        try adopt(record, packet.descriptors)
    }

    private mutating func adopt(
        _ record: HandOverRecord, _ descriptors: [Int32]
    ) throws(HandOverFailure) {
        guard let slot = sessions.allocate() else {
            // One that has said nothing yet and for which there may have been no room there either.
            if record.stage == .hello, record.up.bytes.isEmpty {
                closeDescriptor(descriptors[0])
                return
            }
            throw HandOverFailure(
                "a worker has room for \(sessions.capacity) sessions; raise `limit connections`")
        }
        var session = session(record, generation: sessions[slot].generation)
        var rest = descriptors[...]
        session.client = rest.removeFirst()
        if record.stage == .relaying { session.origin = rest.removeFirst() }
        session.directions[0] = try direction(record.up, &rest)
        session.directions[1] = try direction(record.down, &rest)
        if !record.name.isEmpty { session.label = labels.store(record.name.span.rawBytes) }
        if record.stage == .relaying, record.target.family != 0 {
            session.target = Int32(truncatingIfNeeded: targets.begin(record.target) ?? -1)
        }
        sessions[slot] = session

        let owner = Token(
            slot: UInt32(truncatingIfNeeded: slot), generation: session.generation, side: .client)
        backend.takeOver(session.client, owner: owner, isUnix: false)
        if session.origin >= 0 {
            let owner = Token(
                slot: UInt32(truncatingIfNeeded: slot), generation: session.generation, side: .origin)
            backend.takeOver(session.origin, owner: owner, isUnix: record.target.pathByteCount > 0)
        }
        timers.set(slot, dueNanoseconds: record.dueNanoseconds)
        _ = sources.acquire(record.source.address, limit: .max)
        count.add(.adopted)
        count.add(.sessions)
        if sessions.freeCount == 0 { isAccepting = false }
    }

    private func session(_ record: HandOverRecord, generation: UInt32) -> Session {
        var session = Session()
        session.generation = generation
        session.enter(.handingOver)
        session.resumes =
            switch record.stage {
            case .hello: .hello
            case .routing: .connecting
            case .parked: .parked
            case .relaying: .relaying
            }
        session.source = record.source
        session.listener = record.listener
        session.acceptedNanoseconds = record.acceptedNanoseconds
        session.helloMicroseconds = record.helloMicroseconds
        session.routedMicroseconds = record.routedMicroseconds
        session.connectedMicroseconds = record.connectedMicroseconds
        session.match = record.match
        session.applicationProtocols = ApplicationProtocols(rawValue: record.applicationProtocols)
        session.broken = record.broken
        return session
    }

    private mutating func direction(
        _ way: HandOverRecord.Way, _ descriptors: inout ArraySlice<Int32>
    ) throws(HandOverFailure) -> Direction {
        var direction = Direction()
        direction.byteCount = way.byteCount
        direction.end = way.end
        direction.isBulk = way.isBulk
        direction.streak = way.streak
        direction.burstBytes = way.burstBytes
        if !way.bytes.isEmpty {
            guard let buffer = backend.makeBuffer(copying: way.bytes.span) else {
                throw HandOverFailure("a worker has no buffer left")
            }
            direction.buffer = buffer
            direction.pending = UInt32(way.bytes.count)
        } else if way.pipedCount > 0 {
            let ends = PipeEnds(readEnd: descriptors.removeFirst(), writeEnd: descriptors.removeFirst())
            guard let pipe = backend.adoptPipe(ends) else {
                throw HandOverFailure("a worker has no room for one more pipe")
            }
            direction.pipe = pipe
            direction.pending = way.pipedCount
        }
        return direction
    }
}

/// Why sessions could not be taken, for the log of the process that goes on with them.
struct HandOverFailure: Error {
    let words: String

    init(_ words: String) { self.words = words }

    /// Turns a system's error into one.
    static func naming<Result>(_ body: () throws(Errno) -> Result) throws(HandOverFailure) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw HandOverFailure("sessions cannot be received: \(error)")
        }
    }
}
