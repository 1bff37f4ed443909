/// A backend's address in the configuration; unlike `TargetAddress` it stands for itself.
package enum ConfiguredAddress: Hashable, Sendable {
    /// By IPv4 or IPv6.
    case ip(IPEndpoint)
    /// By a unix socket with this absolute path, at most 107 bytes long.
    case unix(path: String)
}

extension ConfiguredAddress: CustomStringConvertible {
    /// As it stands in a configuration.
    package var description: String {
        switch self {
        case .ip(let endpoint): endpoint.description
        case .unix(let path): "unix:" + path
        }
    }
}
