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
    /// Tells this connection from a later one.
    let identity = UUID()
    let transport: EngineTransport

    /// Connects, and agrees on a version of the interface. To be ended by ``shutDown()``.
    package init(socket: String = Engine.defaultSocket) async throws(EngineError) {
        guard FileManager.default.fileExists(atPath: socket) else {
            throw .unreachable(socket: socket, reason: "there is no such socket")
        }
        let transport = EngineTransport(socket: socket)
        do throws(EngineError) {
            let body = try await transport.call(.GET, "/version", seconds: 5).decoded(VersionBody.self)
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

    /// Asks whether it is there.
    package func ping() async throws(EngineError) { try await transport.call(.GET, "/_ping", seconds: 5) }

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

    /// All containers, running or not, that have a label; with a value, or with any.
    package func containers(
        labelled label: String, _ value: String? = nil
    ) async throws(EngineError) -> [ContainerSummary] {
        let filters = try Self.json(["label": [value.map { "\(label)=\($0)" } ?? label]])
        return try await transport.call(.GET, "/containers/json", ["all": "true", "filters": filters])
            .decoded([SummaryBody].self).map(\.summary)
    }

    /// What a container has changed in its own file system since it was made.
    package func changes(of name: String) async throws(EngineError) -> [FileChange] {
        try await transport.call(.GET, "/containers/\(name.escaped)/changes")
            .decoded([ChangeBody]?.self)?.compactMap { body in
                FileChange.Kind(rawValue: body.kind).map { FileChange(path: body.path, kind: $0) }
            } ?? []
    }

    /// Runs a program in a container to its end; how it ended, and what it wrote (at most 16 MiB).
    package func execute(
        _ arguments: [String], in name: String, seconds: Int64
    ) async throws(EngineError) -> (exitCode: Int, output: [LogPiece]) {
        let execution = try await transport.call(
            .POST, "/containers/\(name.escaped)/exec", body: ExecutionBody(cmd: arguments)
        ).decoded(IdentifierBody.self).id
        let output: EngineTransport.Answer
        do throws(EngineError) {
            output = try await transport.call(
                .POST, "/exec/\(execution.escaped)/start", body: ExecutionStartBody(), seconds: seconds)
        } catch {
            // The program is late, and not the engine.
            guard error.isLate else { throw error }
            throw .unclear("`\(arguments[0])` did not end within \(seconds) s")
        }
        let state = try await transport.call(.GET, "/exec/\(execution.escaped)/json")
            .decoded(ExecutionStateBody.self)
        guard let exitCode = state.exitCode else { throw .unclear("how `\(arguments[0])` has ended") }
        return (exitCode, LogPiece.pieces(of: output.bytes))
    }

    /// Writes what stands at a path in a container, as a tar file; false: there is nothing.
    package func copy(_ path: String, from name: String, to file: String) async throws(EngineError) -> Bool {
        do throws(EngineError) {
            try await transport.download(
                "/containers/\(name.escaped)/archive", [("path", path)], to: file)
            return true
        } catch {
            guard error.isMissing else { throw error }
            return false
        }
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

    /// Takes the images of a file that `docker save` has written; their names, or identifiers of such without
    /// one. `progress` hears how many of its bytes were sent, and of how many.
    @discardableResult
    package func loadImages(
        from path: String, progress: @escaping @Sendable (UInt64, UInt64) -> Void = { _, _ in }
    ) async throws(EngineError) -> [String] {
        let answer = try await transport.upload(path, to: "/images/load", ["quiet": "true"], progress)
        try answer.throwFailureBehindTheStatus()
        return answer.lines(ProgressBody.self).compactMap(\.stream).flatMap { text in
            text.split(separator: "\n").compactMap { line in
                ["Loaded image: ", "Loaded image ID: "].first { line.hasPrefix($0) }
                    .map { String(line.dropFirst($0.count)) }
            }
        }
    }

    /// Gives an image another name, with a tag.
    package func tagImage(_ image: String, as name: String) async throws(EngineError) {
        // A registry may have a port: the tag is behind the last colon, unless a slash comes later.
        let colon = name.lastIndex(of: ":").flatMap { name[$0...].contains("/") ? nil : $0 }
        let tag = colon.map { String(name[name.index(after: $0)...]) } ?? "latest"
        try await transport.call(
            .POST, "/images/\(image.escapedPath)/tag",
            ["repo": String(name[..<(colon ?? name.endIndex)]), "tag": tag])
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

    /// Writes an image to a file, as ``loadImages(from:progress:)`` reads it. `progress` hears how many bytes
    /// have come.
    package func saveImage(
        _ name: String, to file: String, progress: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) async throws(EngineError) {
        try await transport.download("/images/\(name.escapedPath)/get", [], to: file, progress)
    }

    /// Makes an image as a Dockerfile says; both it and what it needs are in a tar file.
    package func buildImage(
        _ name: String, from path: String,
        progress: @escaping @Sendable (UInt64, UInt64) -> Void = { _, _ in }
    ) async throws(EngineError) {
        let answer = try await transport.upload(path, to: "/build", ["t": name, "rm": "true"], progress)
        try answer.throwFailureBehindTheStatus()
    }

    /// Removes an image; one that is not there is no error.
    /// `isForced`: also if containers or other names need it.
    package func removeImage(_ name: String, isForced: Bool = true) async throws(EngineError) {
        do throws(EngineError) {
            try await transport.call(
                .DELETE, "/images/\(name.escapedPath)", ["force": "\(isForced)"], seconds: 60)
        } catch {
            guard error.isMissing else { throw error }
        }
    }

    // MARK: Networks

    /// Makes a network of its own for some containers; one of that name will do.
    package func createNetwork(
        _ name: String, labels: [String: String], addresses: SiteNetwork? = nil
    ) async throws(EngineError) {
        var body = NetworkBody(name: name, labels: labels)
        if let addresses {
            let pool = NetworkBody.Pool(
                subnet: addresses.subnet, ipRange: addresses.range, gateway: addresses.gateway)
            body.ipam = NetworkBody.Addresses(config: [pool])
            body.options = ["com.docker.network.bridge.name": addresses.interface]
        }
        do throws(EngineError) {
            try await transport.call(.POST, "/networks/create", body: body)
        } catch {
            guard error.isConflict else { throw error }
        }
    }

    /// The names of all networks that have a label; with a value, or with any.
    package func networks(
        labelled label: String, _ value: String? = nil
    ) async throws(EngineError) -> [String] {
        let filters = try Self.json(["label": [value.map { "\(label)=\($0)" } ?? label]])
        return try await transport.call(.GET, "/networks", ["filters": filters]).decoded([NameBody].self)
            .map(\.name)
    }

    /// All networks, with their addresses.
    package func networks() async throws(EngineError) -> [EngineNetwork] {
        try await transport.call(.GET, "/networks").decoded([NetworkSummaryBody].self).map(\.network)
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

    /// What happens to containers (those with a label, if one is given) from now on, until the engine ends or
    /// the reader does.
    package func events(
        labelled label: String? = nil
    ) throws(EngineError) -> AsyncThrowingStream<EngineEvent, any Error> {
        var wanted = ["type": ["container"]]
        if let label { wanted["label"] = [label] }
        let filters = try Self.json(wanted)
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
