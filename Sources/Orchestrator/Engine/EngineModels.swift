import Foundation

/// What a container is made from.
package struct ContainerSpecification: Equatable, Sendable {
    /// A folder of the host that a container sees.
    package struct Mount: Equatable, Sendable {
        /// An absolute path of the host.
        package var source: String
        /// An absolute path of the container.
        package var target: String

        package init(source: String, target: String) {
            self.source = source
            self.target = target
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
    /// Further names under which others on that network find it.
    package var networkAliases: [String] = []
    /// The most memory that it may have; nil: what there is.
    package var memoryBytes: UInt64?

    /// A container of an image, with nothing else.
    package init(image: String) { self.image = image }
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
    }
    struct LogSettings: Encodable {
        var type = "json-file"
        var config = ["max-size": "10m", "max-file": "3"]
    }
    struct HostSettings: Encodable {
        var mounts: [Mount]
        var memory: UInt64?
        var networkMode: String?
        /// The desired state is ours to keep.
        var restartPolicy = ["Name": "no"]
        var securityOpt = ["no-new-privileges:true"]
        var logConfig = LogSettings()
    }
    struct Endpoint: Encodable { var aliases: [String] }
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
            mounts: specification.mounts.map { Mount(source: $0.source, target: $0.target) },
            memory: specification.memoryBytes, networkMode: specification.network)
        networkingConfig = specification.network.map { network in
            Networking(endpointsConfig: [network: Endpoint(aliases: specification.networkAliases)])
        }
    }
}

struct NetworkBody: Encodable {
    var name: String
    var checkDuplicate = true
    var labels: [String: String]
}

struct IdentifierBody: Decodable {
    var id: String
}

struct MessageBody: Decodable {
    var message: String
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
            isRunning: state.running, exitCode: state.exitCode,
            addresses: networks.mapValues(\.ipAddress).filter { !$0.value.isEmpty })
    }
}

/// Of an image, as much as a blueprint wants of it.
package struct ImageConfiguration: Equatable, Sendable {
    /// Paths that the image declares as volumes.
    package var volumes: [String]
    /// Ports that it exposes, `443/tcp`.
    package var ports: [String]
    /// The user that it runs as; empty: root.
    package var user: String
    /// Whether it says how its health is found out.
    package var hasHealthCheck: Bool
}

struct ImageBody: Decodable {
    struct Empty: Decodable {}
    struct Settings: Decodable {
        var volumes: [String: Empty]?
        var exposedPorts: [String: Empty]?
        var user: String?
        var healthcheck: Empty?
    }
    var config: Settings?

    /// What we make of it.
    var configuration: ImageConfiguration {
        ImageConfiguration(
            volumes: (config?.volumes ?? [:]).keys.sorted(),
            ports: (config?.exposedPorts ?? [:]).keys.sorted(),
            user: config?.user ?? "", hasHealthCheck: config?.healthcheck != nil)
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
        EngineEvent(container: actor.id, action: action, attributes: actor.attributes ?? [:])
    }
}

/// A line of an answer that tells of a failure behind the status line.
struct ProgressBody: Decodable {
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
