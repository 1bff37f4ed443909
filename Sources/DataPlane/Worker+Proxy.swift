import Linux
import Routes
import Wire

/// The PROXY protocol: headers that come in front of a connection, and those that we put there.
extension Worker where Backend: ~Copyable {
    /// More bytes of the header that a connection must begin with, its end, or a failure.
    @inline(never)
    mutating func receivedProxyHeader(_ slot: Int, _ completion: Completion) {
        guard noteFirstBytes(slot, completion) else { return }
        readProxyHeader(slot)
    }

    /// Looks at what there is of a header.
    @inline(never)
    mutating func readProxyHeader(_ slot: Int) {
        switch ProxyHeaderParser.parse(backend.bytes(sessions[slot].directions[0].slice)) {
        case .needMore:
            receiveMore(slot)
        case .addresses(let source, let destination, let byteCount):
            count.add(.proxyHeaders)
            sessions[slot].directions[0].takeFront(byteCount)
            storeDestination(slot, destination)
            guard speakFor(slot, IPEndpoint(source)) else { return }
            beginProtocol(slot)
        case .local(let byteCount):
            count.add(.proxyHeaders)
            sessions[slot].directions[0].takeFront(byteCount)
            beginProtocol(slot)
        case .malformed:
            count.add(.proxyMalformed)
            end(slot, .proxyMalformed)
        }
    }

    /// From now on the session is the client's that the header names, and no more its peer's, who was counted
    /// without a limit. False: that client may have no more sessions.
    mutating func speakFor(_ slot: Int, _ client: IPEndpoint) -> Bool {
        sources.release(sessions[slot].source.address)
        sessions[slot].source = client
        guard admitSource(client.address) else {
            // Counted all the same, because its end takes that back.
            admitPeer(client.address)
            sessions[slot].resets = .client
            end(slot, .sourceRefused)
            return false
        }
        return true
    }

    /// Counts a session for an address without asking: a balancer's connections are many.
    mutating func admitPeer(_ address: IPAddress) { _ = sources.acquire(address, limit: .max) }

    /// Keeps the address that the client has connected to, for a header of ours.
    private mutating func storeDestination(_ slot: Int, _ destination: ProxyEndpoint) {
        var bytes = InlineArray<18, UInt8>(repeating: 0)
        for index in 0..<8 {
            let shift = UInt64(56 - 8 * index)
            bytes[index] = UInt8(truncatingIfNeeded: destination.high >> shift)
            bytes[index + 8] = UInt8(truncatingIfNeeded: destination.low >> shift)
        }
        bytes[16] = UInt8(truncatingIfNeeded: destination.port >> 8)
        bytes[17] = UInt8(truncatingIfNeeded: destination.port)
        sessions[slot].destination = labels.store(bytes.span.rawBytes)
    }

    /// The address that the client has connected to: as a header has said, or as the socket says.
    private func destination(_ slot: Int) -> ProxyEndpoint? {
        guard sessions[slot].destination != .none else {
            return backend.localAddress(sessions[slot].client)?.endpoint.map { ProxyEndpoint($0) }
        }
        let bytes = labels.bytes(sessions[slot].destination)
        var (high, low): (UInt64, UInt64) = (0, 0)
        for index in 0..<8 {
            high = high << 8 | UInt64(bytes.byte(at: index))
            low = low << 8 | UInt64(bytes.byte(at: index + 8))
        }
        return ProxyEndpoint(high: high, low: low, port: bytes.bigEndianUInt16(at: 16))
    }

    /// Writes the header that a route asks for into the room in front of the hello, so that both are sent at
    /// once. Called for each target anew: a later table may ask for another one, or for none.
    @inline(never)
    mutating func putProxyHeader(_ slot: Int, _ version: RouteOptions.ProxyHeader) {
        // One from before is out of the way first: the new one ends where the hello begins.
        sessions[slot].directions[0].putHeader(0)
        guard version != .none else { return }
        let source = ProxyEndpoint(sessions[slot].source)
        let destination = destination(slot)
        var header = ProxyHeader()
        if version == .version1 {
            header.setVersion1(source: source, destination: destination)
        } else {
            header.setVersion2(
                source: source, destination: destination,
                authority: labels.bytes(sessions[slot].label),
                applicationProtocol: sessions[slot].applicationProtocols.single)
        }
        sessions[slot].directions[0].putHeader(header.byteCount)
        var place = sessions[slot].directions[0].slice
        place.count = UInt32(header.byteCount)
        backend.overwrite(place, with: header.bytes)
    }

    // MARK: Listeners that forward

    /// Connects a session of a `listen tcp` to the listener's target, with the bytes that came behind a
    /// header, or with none: whoever shall speak first may be the target.
    mutating func forward(_ slot: Int) {
        sessions[slot].routedMicroseconds = microseconds(since: sessions[slot].acceptedNanoseconds)
        if sessions[slot].directions[0].pending == 0 { releaseBytes(slot, .client) }
        let target = listeners[Int(sessions[slot].listener)].plan.target
        guard attempt(slot, target) else {
            cannotForward(slot)
            return
        }
    }

    /// The target of a `listen tcp` cannot be reached. What is spoken there is not known, so all that can be
    /// said is a reset.
    @inline(never)
    mutating func cannotForward(_ slot: Int) {
        count.add(.unreachable)
        sessions[slot].resets = .client
        end(slot, .unreachable)
    }
}

extension ProxyEndpoint {
    /// As a session has its client's address.
    init(_ endpoint: IPEndpoint) {
        switch endpoint.address {
        case .v4(let bits): self.init(ipv4: bits, port: endpoint.port)
        case .v6(let high, let low): self.init(high: high, low: low, port: endpoint.port)
        }
    }
}

extension IPEndpoint {
    /// As a header names it; IPv4 in whatever form it stood there.
    init(_ endpoint: ProxyEndpoint) {
        self.init(
            address: endpoint.ipv4.map(IPAddress.v4) ?? .v6(high: endpoint.high, low: endpoint.low),
            port: endpoint.port)
    }
}
