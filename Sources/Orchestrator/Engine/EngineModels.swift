import Foundation

/// What a container is made from.
package struct ContainerSpecification: Equatable, Sendable {
    /// A folder of the host that a container sees.
    package struct Mount: Equatable, Sendable {
        /// An absolute path of the host.
        package var source: String
        /// An absolute path of the container.
        package var target: String
        /// Whether the container may only read it.
        package var isReadOnly: Bool

        package init(source: String, target: String, isReadOnly: Bool = false) {
            self.source = source
            self.target = target
            self.isReadOnly = isReadOnly
        }
    }

    /// By name, digest or id.
    package var image: String
    /// What runs instead of the image's own command; nil: that one.
    package var command: [String]?
    /// Lines `NAME=value`.
    package var environment: [String] = []
    /// Its marks, by which it is found again.
    package var labels: [String: String] = [:]
    /// What it sees of the host.
    package var mounts: [Mount] = []
    /// The network that it is in; nil: the engine's default one.
    package var network: String?
    /// Its IPv4 address there; nil: one that the engine chooses.
    package var address: String?
    /// Further names under which others on that network find it.
    package var networkAliases: [String] = []
    /// The most memory that it may have; nil: what there is.
    package var memoryBytes: UInt64?

    /// A container of an image, with nothing else.
    package init(image: String) { self.image = image }
}

/// A container as a list of them shows it.
package struct ContainerSummary: Equatable, Sendable {
    /// What the engine calls it, 64 hexadecimal digits.
    package var identifier: String
    /// Without the slash that the engine puts in front.
    package var name: String
    /// Its marks.
    package var labels: [String: String]
    /// Whether its program runs.
    package var isRunning: Bool
    /// IPv4 addresses, by the network's name; a container that does not run has none.
    package var addresses: [String: String]

    package init(
        identifier: String, name: String, labels: [String: String], isRunning: Bool,
        addresses: [String: String]
    ) {
        self.identifier = identifier
        self.name = name
        self.labels = labels
        self.isRunning = isRunning
        self.addresses = addresses
    }
}

/// A path that a container has changed in its own file system.
package struct FileChange: Equatable, Sendable {
    /// As the engine numbers them.
    package enum Kind: Int, Sendable { case modified, added, deleted }
    /// Absolute, in the container.
    package var path: String
    /// What happened to it.
    package var kind: Kind

    package init(path: String, kind: Kind) {
        self.path = path
        self.kind = kind
    }
}

/// A container as the engine sees it.
package struct ContainerState: Equatable, Sendable {
    /// What the engine calls it, 64 hexadecimal digits.
    package var identifier: String
    /// Without the slash that the engine puts in front.
    package var name: String
    /// Its marks.
    package var labels: [String: String]
    /// Whether its program runs.
    package var isRunning: Bool
    /// What its last end was; of one that runs it means nothing.
    package var exitCode: Int
    /// When it was started last, as the engine writes it.
    package var startedAt: String
    /// IPv4 addresses, by the network's name.
    package var addresses: [String: String]
}

/// Something that happened to a container.
package struct EngineEvent: Equatable, Sendable {
    /// The container's identifier.
    package var container: String
    /// `start`, `die`, `oom`, `destroy`, ….
    package var action: String
    /// The container's labels, its name (`name`), and more (`exitCode`).
    package var attributes: [String: String]
}

/// One piece of what a container has written.
package struct LogPiece: Equatable, Sendable {
    /// As the engine numbers them.
    package enum Stream: UInt8, Sendable { case input, output, error }
    /// Where it was written to.
    package var stream: Stream
    /// What.
    package var bytes: [UInt8]
}

// MARK: As the engine writes it, with a capital in front of each key

/// Of `POST /containers/create`.
struct CreateBody: Encodable {
    struct Mount: Encodable {
        var type = "bind"
        var source: String
        var target: String
        var readOnly: Bool
    }
    struct LogSettings: Encodable {
        var type = "json-file"
        var config = ["max-size": "10m", "max-file": "3"]
    }
    struct HostSettings: Encodable {
        var mounts: [Mount]
        var memory: UInt64?
        /// Memory and swap together: no swap beside what it may have. Without it the engine allows as much
        /// again.
        var memorySwap: UInt64?
        var networkMode: String?
        /// The desired state is ours to keep.
        var restartPolicy = ["Name": "no"]
        var securityOpt = ["no-new-privileges:true"]
        var logConfig = LogSettings()
    }
    struct Endpoint: Encodable {
        struct Address: Encodable { var ipv4Address: String }
        var aliases: [String]
        var ipamConfig: Address?
        enum CodingKeys: String, CodingKey {
            case aliases
            case ipamConfig = "IPAMConfig"
        }
    }
    struct Networking: Encodable { var endpointsConfig: [String: Endpoint] }

    var image: String
    var cmd: [String]?
    var env: [String]
    var labels: [String: String]
    var hostConfig: HostSettings
    var networkingConfig: Networking?

    init(_ specification: ContainerSpecification) {
        image = specification.image
        cmd = specification.command
        env = specification.environment
        labels = specification.labels
        hostConfig = HostSettings(
            mounts: specification.mounts.map {
                Mount(source: $0.source, target: $0.target, readOnly: $0.isReadOnly)
            },
            memory: specification.memoryBytes, memorySwap: specification.memoryBytes,
            networkMode: specification.network)
        // One that has no network has no addresses, and Podman refuses even an empty list of them.
        let network = specification.network.flatMap { $0 == "none" ? nil : $0 }
        networkingConfig = network.map { network in
            let address = specification.address.map { Endpoint.Address(ipv4Address: $0) }
            let endpoint = Endpoint(aliases: specification.networkAliases, ipamConfig: address)
            return Networking(endpointsConfig: [network: endpoint])
        }
    }
}

struct NetworkBody: Encodable {
    struct Pool: Encodable {
        var subnet: String
        var ipRange: String
        var gateway: String
        enum CodingKeys: String, CodingKey {
            case subnet, gateway
            case ipRange = "IPRange"
        }
    }
    struct Addresses: Encodable {
        var driver = "default"
        var config: [Pool]
    }
    var name: String
    var checkDuplicate = true
    var labels: [String: String]
    /// nil: addresses that the engine chooses.
    var ipam: Addresses?
    var options: [String: String] = [:]
    enum CodingKeys: String, CodingKey {
        case name, checkDuplicate, labels, options
        case ipam = "IPAM"
    }
}

/// Of `POST /containers/ID/exec` and `POST /exec/ID/start`.
struct ExecutionBody: Encodable {
    var attachStdout = true
    var attachStderr = true
    var cmd: [String]
}
struct ExecutionStartBody: Encodable {
    var detach = false
    var tty = false
}
struct ExecutionStateBody: Decodable { var exitCode: Int? }

struct ChangeBody: Decodable {
    var path: String
    var kind: Int
}

/// Of `GET /containers/json`.
struct SummaryBody: Decodable {
    var id: String
    var names: [String]?
    var labels: [String: String]?
    var state: String
    var networkSettings: InspectBody.Networking?

    /// What we make of it.
    var summary: ContainerSummary {
        ContainerSummary(
            identifier: id, name: String((names?.first ?? "").drop { $0 == "/" }), labels: labels ?? [:],
            isRunning: state == "running",
            addresses: (networkSettings?.networks ?? [:]).mapValues(\.ipAddress).filter { !$0.value.isEmpty })
    }
}

struct IdentifierBody: Decodable {
    var id: String
}

struct NameBody: Decodable {
    var name: String
}

/// Of `GET /networks`.
struct NetworkSummaryBody: Decodable {
    struct Pool: Decodable { var subnet: String? }
    struct Addresses: Decodable { var config: [Pool]? }
    var name: String
    var ipam: Addresses?

    /// What we make of it.
    var network: EngineNetwork {
        EngineNetwork(name: name, subnets: (ipam?.config ?? []).compactMap(\.subnet))
    }
}

struct MessageBody: Decodable {
    /// Podman's words for a name that is taken; it has no status for it but 500.
    private static let conflicts = ["network already exists", "that name is already in use"]

    var message: String
    /// Podman's reason behind the message.
    var cause: String?

    var isConflict: Bool { cause.map { Self.conflicts.contains($0) } ?? false }
}

struct VersionBody: Decodable {
    var version: String
    var apiVersion: String
}

/// Of `GET /containers/ID/json`.
struct InspectBody: Decodable {
    struct RunState: Decodable {
        var running: Bool
        var exitCode: Int
        var startedAt: String
    }
    struct Settings: Decodable { var labels: [String: String]? }
    struct Network: Decodable { var ipAddress: String }
    struct Networking: Decodable { var networks: [String: Network]? }

    var id: String
    var name: String
    var state: RunState
    var config: Settings
    var networkSettings: Networking

    /// What we make of it.
    var container: ContainerState {
        let networks = networkSettings.networks ?? [:]
        return ContainerState(
            identifier: id, name: String(name.drop { $0 == "/" }), labels: config.labels ?? [:],
            isRunning: state.running, exitCode: state.exitCode, startedAt: state.startedAt,
            addresses: networks.mapValues(\.ipAddress).filter { !$0.value.isEmpty })
    }
}

/// Of an image, as much as a site and a blueprint want of it.
package struct ImageConfiguration: Equatable, Sendable {
    /// `sha256:` and 64 hexadecimal digits.
    package var identifier: String
    /// Paths that the image declares as volumes.
    package var volumes: [String]
    /// Ports that it exposes, `443/tcp`.
    package var ports: [String]
    /// The user that it runs as; empty: root.
    package var user: String
    /// For how long it may be unhealthy after a start, by its own check of its health; nil: it has none.
    package var startMilliseconds: UInt64?
}

struct ImageBody: Decodable {
    struct Empty: Decodable {}
    struct Settings: Decodable {
        var volumes: [String: Empty]?
        var exposedPorts: [String: Empty]?
        var user: String?
        var healthcheck: HealthCheck?
    }
    /// Times are nanoseconds; 0 or none is the engine's own choice.
    struct HealthCheck: Decodable {
        var test: [String]?
        var interval: Int64?
        var startPeriod: Int64?
        var retries: Int64?

        /// nil: `HEALTHCHECK NONE`.
        var startMilliseconds: UInt64? {
            guard let test, test.first != "NONE", !test.isEmpty else { return nil }
            // As long as a time can be (a day), so that nothing overflows.
            let bounded = { (value: Int64?, standard: Int64, most: Int64) in
                value.flatMap { $0 > 0 ? min($0, most) : nil } ?? standard
            }
            let day: Int64 = 86_400_000_000_000
            // The engine's own: an interval of 30 s, 3 retries, no start period.
            let wait = bounded(interval, 30_000_000_000, day) / 1_000_000 * bounded(retries, 3, 1000)
            return UInt64(bounded(startPeriod, 0, day) / 1_000_000 + wait)
        }
    }
    var id: String
    var config: Settings?

    /// What we make of it.
    var configuration: ImageConfiguration {
        ImageConfiguration(
            identifier: id,
            volumes: (config?.volumes ?? [:]).keys.sorted(),
            ports: (config?.exposedPorts ?? [:]).keys.sorted(),
            user: config?.user ?? "", startMilliseconds: config?.healthcheck?.startMilliseconds)
    }
}

/// A line of `GET /events`.
struct EventBody: Decodable {
    struct Origin: Decodable {
        var id: String
        var attributes: [String: String]?
    }
    var action: String
    var actor: Origin

    /// What we make of it.
    var event: EngineEvent {
        // Podman has its own word for the end of all.
        let action = action == "remove" ? "destroy" : action
        return EngineEvent(container: actor.id, action: action, attributes: actor.attributes ?? [:])
    }
}

/// A line of a long answer: what is said of the work, or that it has failed, behind a good status.
struct ProgressBody: Decodable {
    var stream: String?
    var error: String?
}

/// Our names for the engine's keys, and back: `IPAddress` is `ipAddress`. A dictionary keeps its keys.
enum EngineJSON {
    static func encode(_ value: some Encodable) -> Data? {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .custom { path in
            let key = path.last?.stringValue ?? ""
            return Key(stringValue: key.prefix(1).uppercased() + key.dropFirst())
        }
        return try? encoder.encode(value)
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: some Sequence<UInt8>) throws -> Value
    {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in
            Key(stringValue: lowered(path.last?.stringValue ?? ""))
        }
        return try decoder.decode(type, from: Data(bytes))
    }

    private static func lowered(_ key: String) -> String {
        let capitals = key.prefix { $0.isUppercase }.count
        // The last capital of several begins the next word.
        let count = capitals > 1 && capitals < key.count ? capitals - 1 : capitals
        return key.prefix(count).lowercased() + key.dropFirst(count)
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { return nil }
    }
}
