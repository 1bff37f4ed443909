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
        guard Int(record.listener) < listeners.count else {
            throw HandOverFailure("a session came from a listener that nobody knows")
        }
        guard let slot = sessions.allocate() else {
            // One for which there was no room there either.
            if record.stage == .accepted {
                closeDescriptor(descriptors[0])
                return
            }
            throw HandOverFailure(
                "a worker has room for \(sessions.capacity) sessions; raise `limit connections`")
        }
        var session = session(record, generation: sessions[slot].generation)
        var rest = descriptors[...]
        session.client = rest.removeFirst()
        if record.stage.hasOrigin { session.origin = rest.removeFirst() }
        session.directions[0] = try direction(record.up, &rest)
        session.directions[1] = try direction(record.down, &rest)
        if !record.name.isEmpty { session.label = labels.store(record.name.span.rawBytes) }
        if !record.destination.isEmpty {
            session.destination = labels.store(record.destination.span.rawBytes)
        }
        if record.target.family != 0 {
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
        if record.stage.hasOrigin { countRelay(slot) }
        adoptTerms(slot, record.termKinds, record.terms)
        if sessions.freeCount == 0 { isAccepting = false }
    }

    private func session(_ record: HandOverRecord, generation: UInt32) -> Session {
        var session = Session()
        session.generation = generation
        session.enter(.handingOver)
        session.resumes = record.stage.phase
        session.source = record.source
        session.listener = record.listener
        session.acceptedNanoseconds = record.acceptedNanoseconds
        session.helloMicroseconds = record.helloMicroseconds
        session.routedMicroseconds = record.routedMicroseconds
        session.connectedMicroseconds = record.connectedMicroseconds
        session.match = record.match
        session.applicationProtocols = ApplicationProtocols(rawValue: record.applicationProtocols)
        session.broken = record.broken
        session.wantsHeadOnly = record.wantsHeadOnly
        if record.stage.isRequest { session.contentBytesLeft = record.contentBytesLeft }
        return session
    }

    private mutating func direction(
        _ way: HandOverRecord.Way, _ descriptors: inout ArraySlice<Int32>
    ) throws(HandOverFailure) -> Direction {
        var direction = Direction()
        direction.takenCount = way.takenCount
        direction.end = way.end
        direction.isBulk = way.isBulk
        direction.streak = way.streak
        direction.burstBytes = way.burstBytes
        if !way.bytes.isEmpty {
            guard let slice = copy(way.bytes.span) else {
                throw HandOverFailure("a worker has no buffer left")
            }
            direction.buffer = slice.buffer
            direction.offset = slice.offset
            direction.pending = slice.count
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

    /// A copy in a buffer; what its data has no room for, because a header of ours is part of it, stands in
    /// front of them.
    private mutating func copy(_ bytes: Span<UInt8>) -> BufferSlice? {
        let frontCount = max(0, bytes.count - BufferPool.dataBytes)
        guard let buffer = backend.makeBuffer(copying: bytes.extracting(frontCount...)) else { return nil }
        let offset = Int32(truncatingIfNeeded: -frontCount)
        let front = BufferSlice(buffer: buffer, offset: offset, count: UInt32(frontCount))
        backend.overwrite(front, with: bytes.extracting(..<frontCount).rawBytes)
        return BufferSlice(buffer: buffer, offset: offset, count: UInt32(bytes.count))
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
