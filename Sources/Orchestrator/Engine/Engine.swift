import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// The container engine: Docker's, by its HTTP interface on a unix socket, or another one that speaks it
/// (Podman). Each call is one request with a deadline, and says what went wrong in the engine's own words.
package struct Engine: Sendable {
    /// Where Docker's engine listens.
    package static let defaultSocket = "/var/run/docker.sock"
    /// The newest version of the interface that this knows; an older engine is spoken to in its own.
    static let interfaceMax = InterfaceVersion(major: 1, minor: 43)
    /// Before this one a container cannot be made as we need it (Docker 19.03).
    static let interfaceMin = InterfaceVersion(major: 1, minor: 40)

    /// What the engine calls its own version.
    package let version: String
    let transport: EngineTransport

    /// Connects, and agrees on a version of the interface. To be ended by ``shutDown()``.
    package init(socket: String = Engine.defaultSocket) async throws(EngineError) {
        guard FileManager.default.fileExists(atPath: socket) else {
            throw .unreachable(socket: socket, reason: "there is no such socket")
        }
        let transport = EngineTransport(socket: socket)
        do throws(EngineError) {
            let body = try await transport.call(.GET, "/version", version: nil).decoded(VersionBody.self)
            guard let offered = InterfaceVersion(body.apiVersion), offered >= Self.interfaceMin else {
                throw .unclear(
                    "it speaks version \(body.apiVersion), and at least \(Self.interfaceMin) is needed")
            }
            version = body.version
            self.transport = transport.speaking(min(offered, Self.interfaceMax))
        } catch {
            await transport.shutDown()
            throw error
        }
    }

    /// Ends all connections. Nothing can be asked afterwards.
    package func shutDown() async { await transport.shutDown() }

    // MARK: Containers

    /// Makes a container; returns its identifier. One of that name that is there already is a conflict.
    package func createContainer(
        _ name: String, _ specification: ContainerSpecification
    ) async throws(EngineError) -> String {
        try await transport.call(
            .POST, "/containers/create", ["name": name], body: CreateBody(specification)
        ).decoded(IdentifierBody.self).id
    }

    /// Starts one; does nothing if it runs.
    package func startContainer(_ name: String) async throws(EngineError) {
        try await transport.call(.POST, "/containers/\(name.escaped)/start", seconds: 60)
    }

    /// Asks one to end (SIGTERM), and ends it after a time; does nothing if it does not run.
    package func stopContainer(_ name: String, afterSeconds seconds: Int) async throws(EngineError) {
        try await transport.call(
            .POST, "/containers/\(name.escaped)/stop", ["t": "\(seconds)"], seconds: Int64(seconds) + 30)
    }

    /// Removes one with its anonymous volumes, whether or not it runs; one that is not there is no error.
    package func removeContainer(_ name: String) async throws(EngineError) {
        do throws(EngineError) {
            try await transport.call(
                .DELETE, "/containers/\(name.escaped)", ["force": "true", "v": "true"], seconds: 60)
        } catch {
            // A removal that is under way is a conflict.
            guard error.isMissing || error.isConflict else { throw error }
        }
    }

    /// What there is to know of one; nil: there is none.
    package func container(_ name: String) async throws(EngineError) -> ContainerState? {
        do throws(EngineError) {
            return try await transport.call(.GET, "/containers/\(name.escaped)/json").decoded(
                InspectBody.self
            ).container
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
    }

    /// The identifiers of all containers, running or not, that have a label; with a value, or with any.
    package func containers(
        labelled label: String, _ value: String? = nil
    ) async throws(EngineError) -> [String] {
        let filters = try Self.json(["label": [value.map { "\(label)=\($0)" } ?? label]])
        return try await transport.call(.GET, "/containers/json", ["all": "true", "filters": filters])
            .decoded([IdentifierBody].self).map(\.id)
    }

    /// The last lines that a container has written, oldest first; at most 1 MiB of them.
    package func logs(of name: String, lines: Int) async throws(EngineError) -> [LogPiece] {
        let answer = try await transport.call(
            .GET, "/containers/\(name.escaped)/logs",
            ["stdout": "true", "stderr": "true", "tail": "\(lines)"])
        return LogPiece.pieces(of: answer.bytes)
    }

    // MARK: Images

    /// What an image declares; nil: it is not there.
    package func image(_ name: String) async throws(EngineError) -> ImageConfiguration? {
        do throws(EngineError) {
            return try await transport.call(.GET, "/images/\(name.escapedPath)/json").decoded(ImageBody.self)
                .configuration
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
    }

    /// Takes the images of a file that `docker save` has written. `progress` hears how many of its bytes were
    /// sent, and of how many.
    package func loadImages(
        from path: String, progress: @escaping @Sendable (UInt64, UInt64) -> Void = { _, _ in }
    ) async throws(EngineError) {
        let answer = try await transport.upload(path, to: "/images/load", ["quiet": "true"], progress)
        try answer.throwFailureBehindTheStatus()
    }

    /// Makes an image of one file system, a tar file, with changes as in a Dockerfile.
    package func importImage(
        _ name: String, from path: String, changes: [String] = [],
        progress: @escaping @Sendable (UInt64, UInt64) -> Void = { _, _ in }
    ) async throws(EngineError) {
        var query = [("fromSrc", "-"), ("repo", name)]
        query += changes.map { ("changes", $0) }
        let answer = try await transport.upload(path, to: "/images/create", query, progress)
        try answer.throwFailureBehindTheStatus()
    }

    /// Removes an image; one that is not there is no error.
    package func removeImage(_ name: String) async throws(EngineError) {
        do throws(EngineError) {
            try await transport.call(.DELETE, "/images/\(name.escapedPath)", ["force": "true"], seconds: 60)
        } catch {
            guard error.isMissing else { throw error }
        }
    }

    // MARK: Networks

    /// Makes a network of its own for some containers; one of that name and with our label will do.
    package func createNetwork(_ name: String, labels: [String: String]) async throws(EngineError) {
        do throws(EngineError) {
            try await transport.call(.POST, "/networks/create", body: NetworkBody(name: name, labels: labels))
        } catch {
            guard error.isConflict else { throw error }
        }
    }

    /// Removes a network that no container is in; one that is not there is no error.
    package func removeNetwork(_ name: String) async throws(EngineError) {
        do throws(EngineError) {
            try await transport.call(.DELETE, "/networks/\(name.escaped)")
        } catch {
            guard error.isMissing else { throw error }
        }
    }

    // MARK: Events

    /// What happens to containers with a label, from now on, until the engine ends or the reader does.
    package func events(
        labelled label: String
    ) throws(EngineError) -> AsyncThrowingStream<EngineEvent, any Error> {
        let filters = try Self.json(["type": ["container"], "label": [label]])
        return transport.lines("/events", ["filters": filters]) { line in
            (try? EngineJSON.decode(EventBody.self, from: line))?.event
        }
    }

    private static func json(_ value: [String: [String]]) throws(EngineError) -> String {
        guard let data = try? JSONEncoder().encode(value) else { throw .unclear("a filter") }
        return String(decoding: data, as: UTF8.self)
    }
}

/// A version of the engine's interface.
struct InterfaceVersion: Comparable, CustomStringConvertible {
    var major: Int
    var minor: Int

    init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// `1.41`.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let major = parts[0], let minor = parts[1] else { return nil }
        self.init(major: major, minor: minor)
    }

    var description: String { "\(major).\(minor)" }

    static func < (left: InterfaceVersion, right: InterfaceVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}

extension LogPiece {
    /// Takes the engine's framing apart: a byte for the stream, three zeros, a length, the bytes.
    static func pieces(of bytes: [UInt8]) -> [LogPiece] {
        var pieces: [LogPiece] = []
        var place = 0
        while bytes.count - place >= 8, let stream = Stream(rawValue: bytes[place]) {
            let count = bytes[(place + 4)..<(place + 8)].reduce(0) { $0 << 8 | Int($1) }
            let end = min(bytes.count, place + 8 + count)
            pieces.append(LogPiece(stream: stream, bytes: Array(bytes[(place + 8)..<end])))
            place = end
        }
        return pieces
    }
}

extension String {
    /// As one part of a path.
    var escaped: String {
        addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~")))
            ?? ""
    }

    /// As parts of a path: an image's name has slashes, which stay.
    var escapedPath: String {
        addingPercentEncoding(
            withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~/:@"))) ?? ""
    }
}
