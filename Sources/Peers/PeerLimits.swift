package import NIOCore

/// How much a connection may take, and how long. Every wait has its end here.
package struct PeerLimits: Sendable {
    /// To reach the other end, all its addresses together.
    package var connect = TimeAmount.seconds(10)
    /// For TLS and the greeting.
    package var handshake = TimeAmount.seconds(10)
    /// For the line of a request, and for that of an answer once it begins.
    package var request = TimeAmount.seconds(20)
    /// For the other end's close, once we have closed.
    package var close = TimeAmount.seconds(1)
    /// A stream on which nothing was heard for so long has lost its other end.
    package var silence = TimeAmount.seconds(45)
    /// How often something is said on a stream on which there is nothing to say.
    package var keepAlive = TimeAmount.seconds(10)
    /// The other end of a stream is alive and does not take a byte for so long: it will never.
    package var stall = TimeAmount.minutes(15)

    /// The longest line, of a request and of an answer.
    package var lineBytesMax = 1 << 20
    /// The longest line of somebody who is not a peer yet.
    package var joinBytesMax = 4096

    /// Connections of those who have not shown yet who they are. Whoever comes when these are taken takes the
    /// place of the one who has stood there longest: of a thousand strangers a second, each stands there for
    /// a quarter of a second, which is enough for a handshake.
    package var pendingMax = 256
    /// Of these from one address; of IPv6, from one /64.
    package var pendingPerSource = 64
    /// Connections of peers.
    package var admittedMax = 256
    /// Of these by one peer.
    package var admittedPerPeer = 32

    package init() {}
}
