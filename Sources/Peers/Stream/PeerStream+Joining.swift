import NIOCore
import NIOPosix

/// What there is against that a stream goes on; nil: nothing. It does not wait for anything.
package typealias StreamObjection = @Sendable () -> PeerError?

extension PeerStream {
    /// Copies both ways between the stream and a connected socket, such as one end of a pair whose other end
    /// is a program's input and output. An end of one is passed on to the other, in each direction by
    /// itself; it returns when both have ended. The descriptor is closed, whatever happens. The objection is
    /// asked for many times a second meanwhile: if there is one, that is the end, and the peer hears why.
    package func join(
        socket: Int32, within limit: BandwidthLimit? = nil, unless objection: StreamObjection? = nil
    ) async throws(PeerError) {
        try await join(within: limit, unless: objection) { mailbox in
            ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(mailbox)
                    }
                }
                .withConnectedSocket(socket)
        }
    }

    /// The same with two descriptors, such as pipes: what can be read from `input` goes to the peer, and what
    /// comes from there goes to `output`.
    package func join(
        input: Int32, output: Int32, within limit: BandwidthLimit? = nil
    ) async throws(PeerError) {
        try await join(within: limit, unless: nil) { mailbox in
            NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(mailbox)
                    }
                }
                .takingOwnershipOfDescriptors(input: input, output: output)
        }
    }

    private func join(
        within limit: BandwidthLimit?, unless objection: StreamObjection?,
        _ open: (Mailbox) -> EventLoopFuture<any Channel>
    ) async throws(PeerError) {
        let local: LocalEnd
        do {
            let mailbox = Mailbox()
            local = LocalEnd(channel: try await open(mailbox).get(), mailbox: mailbox)
        } catch {
            throw PeerError(.unusable, "the descriptor for a stream cannot be used: \(error)")
        }
        let failure = await withTaskCancellationHandler {
            await carry(local, within: limit, unless: objection)
        } onCancel: {
            // Who waits for bytes does not notice, and the peer may never send any.
            local.channel.close(promise: nil)
            connection.closeSoon()
        }
        try? await local.channel.close()
        if let failure { throw failure }
    }

    private func carry(
        _ local: LocalEnd, within limit: BandwidthLimit?, unless objection: StreamObjection?
    ) async -> PeerError? {
        await withTaskGroup(of: Part.self) { group in
            group.addTask { .direction(await self.send(local, within: limit)) }
            group.addTask { .direction(await self.receive(local)) }
            if let objection { group.addTask { .objection(await Self.wait(for: objection)) } }
            var (directions, worst, isObjected) = (2, PeerError?.none, false)
            while directions > 0, let part = await group.next() {
                if case .direction = part { directions -= 1 }
                guard let failure = part.failure else { continue }
                // The other direction has no sense any more. The first failure tells most; but if the peer
                // has said why it stops, that is the reason of all, unless it was ours.
                local.channel.close(promise: nil)
                if worst == nil {
                    if case .objection = part { isObjected = true }
                    await connection.abort(failure.text)
                }
                if worst == nil || (failure.kind == .stopped && !isObjected) { worst = failure }
            }
            group.cancelAll()
            return worst
        }
    }

    /// What works at a joined stream, and how it has ended.
    private enum Part {
        case direction(PeerError?)
        case objection(PeerError?)

        var failure: PeerError? {
            switch self {
            case .direction(let failure), .objection(let failure): failure
            }
        }
    }

    /// nil: nobody waits for it any more.
    private static func wait(for objection: StreamObjection) async -> PeerError? {
        while !Task.isCancelled {
            if let reason = objection() { return reason }
            try? await Task.sleep(for: .milliseconds(25))
        }
        return nil
    }

    private func send(_ local: LocalEnd, within limit: BandwidthLimit?) async -> PeerError? {
        do throws(PeerError) {
            while let bytes = try await local.read() { try await write(bytes, within: limit) }
            try await finish()
            return nil
        } catch {
            return error
        }
    }

    private func receive(_ local: LocalEnd) async -> PeerError? {
        do throws(PeerError) {
            while let bytes = try await read() { try await local.write(bytes) }
            try await local.finish()
            return nil
        } catch {
            return error
        }
    }
}

/// The near end of a joined stream.
private struct LocalEnd: Sendable {
    let channel: any Channel
    let mailbox: Mailbox

    func read() async throws(PeerError) -> ByteBuffer? {
        do {
            return try await mailbox.take(from: channel)
        } catch {
            throw Self.failure
        }
    }

    func write(_ bytes: ByteBuffer) async throws(PeerError) {
        do {
            try await channel.writeAndFlush(bytes)
        } catch {
            throw Self.failure
        }
    }

    func finish() async throws(PeerError) {
        do {
            try await channel.close(mode: .output)
        } catch ChannelError.alreadyClosed, ChannelError.outputClosed, ChannelError.ioOnClosedChannel {
            // It is gone, and has taken everything.
        } catch {
            throw Self.failure
        }
    }

    private static let failure = PeerError(.stopped, "the program at this end has ended in the middle")
}
