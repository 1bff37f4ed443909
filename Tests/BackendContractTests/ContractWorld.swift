import Linux

/// The world around a backend: whoever connects to it, and whomever it connects to. The real one is sockets
/// of this machine; a simulated backend has its own.
///
/// Nothing here waits: what a peer does has been told to the world when the call returns, and what has
/// reached a peer is asked for again and again while the backend is given its turns (see
/// ``Bench/until(_:_:)``).
protocol ContractWorld: AnyObject {
    /// Does what is due: called before each turn of the backend. A world of its own will does not need it.
    func act()

    /// A listening socket that the backend may be given, and that peers reach by its address.
    func makeListener() throws -> (descriptor: Int32, address: SocketAddress)

    /// A peer that connects to a listener of the backend. The connection is in the listener's queue when the
    /// call returns.
    func connect(to address: SocketAddress) throws -> any ContractPeer

    /// Somebody that the backend connects to.
    func makeOrigin(_ kind: OriginKind) throws -> any ContractOrigin

    /// An event descriptor that wakes the backend.
    func makeWake() throws -> any ContractWake
}

/// How an origin behaves when somebody connects to it.
enum OriginKind: Sendable, CaseIterable {
    /// Accepts, at an address of this family.
    case ipv4, ipv6, unix
    /// Nobody is there.
    case refusing, refusingUnix
    /// Never answers.
    case blackHole
}

/// Whom the backend connects to.
protocol ContractOrigin: AnyObject {
    var address: SocketAddress { get }

    /// The other end of the oldest connection that has come and was not asked for yet; nil when there is
    /// none.
    func accept() throws -> (any ContractPeer)?
}

/// What a peer sees of the backend's end of the connection.
enum Sight: Equatable {
    case nothing
    case bytes([UInt8])
    /// The backend's end has said that no more comes, and all before it was seen.
    case end
    case reset
}

/// The other end of a connection of the backend.
protocol ContractPeer: AnyObject {
    /// The peer's own address, as the backend sees it.
    var address: SocketAddress { get throws }

    /// Sends as many of the bytes as there is room for on the way; how many those were.
    func send(_ bytes: [UInt8]) throws -> Int

    /// What has come since it was asked last, at most so many bytes.
    func receive(upTo count: Int) throws -> Sight

    /// Says that it will send no more; it still receives.
    func endSending() throws

    /// Closes in order. What it has not read must be nothing, or the close is a reset (RFC 2525, section
    /// 2.17).
    func close()

    /// Closes with a reset.
    func reset()
}

/// Wakes the backend.
protocol ContractWake: AnyObject {
    /// For ``IOBackend/addWake(_:)``.
    var descriptor: Int32 { get }

    func ring()

    /// Rings while the backend waits: by another thread, or by the world's clock.
    func ring(afterMilliseconds: UInt32) throws
}
