/// The options of a route. Trivial; many routes share one record in the image.
package struct RouteOptions: Hashable, Sendable, BitwiseCopyable {
    /// How the targets are checked while no session uses them.
    package enum HealthCheck: Hashable, Sendable, BitwiseCopyable {
        /// Only by the sessions themselves.
        case none
        /// By a TCP connection every so many milliseconds.
        case tcp(intervalMilliseconds: UInt32)
        /// By a ClientHello with the route's name every so many milliseconds.
        case hello(intervalMilliseconds: UInt32)
    }

    /// Which PROXY protocol header the target gets first.
    package enum ProxyHeader: UInt8, Sendable, BitwiseCopyable {
        /// None.
        case none
        /// The text form.
        case version1
        /// The binary form, with the TLVs for SNI and ALPN.
        case version2
    }

    /// What port 80 does for the route's names.
    package enum HTTPForward: Hashable, Sendable, BitwiseCopyable {
        /// All requests are redirected to https.
        case redirect
        /// Requests under `/.well-known/acme-challenge/` go to this address; all others are redirected.
        case challenges(TargetAddress)
        /// All requests go to this address.
        case everything(TargetAddress)
    }

    /// `max=`: so many sessions at once, further ones are refused; nil is no limit but the process's own.
    package var sessionsMax: UInt32?
    /// `idle=`: milliseconds without a byte after which a session ends; nil is the configuration's timeout.
    package var idleMilliseconds: UInt32?
    /// `drain=`: milliseconds that sessions may live on after their route was removed or changed; nil is for
    /// ever.
    package var drainMilliseconds: UInt32?
    /// `check=`.
    package var check: HealthCheck
    /// `proxy=`.
    package var proxyHeader: ProxyHeader
    /// `acme=`: where hellos go that offer ALPN `acme-tls/1`; nil: as all others.
    package var acme: TargetAddress?
    /// `http=`.
    package var http: HTTPForward
    /// `wake=`: the unix socket that is told the name; always `unix`, present exactly on `asleep` routes.
    package var wake: TargetAddress?

    /// What holds for a route without options.
    package init() {
        sessionsMax = nil
        idleMilliseconds = nil
        drainMilliseconds = nil
        check = .none
        proxyHeader = .none
        acme = nil
        http = .redirect
        wake = nil
    }
}
