/// A runme that is made from what an image declares of itself: VOLUME, EXPOSE, HEALTHCHECK, USER.
///
/// It is text for a person, who goes on from there; what the image leaves open is said in a comment.
package struct Blueprint: Equatable, Sendable {
    /// What an image declares.
    package struct Declaration: Equatable, Sendable {
        /// Absolute paths.
        package var volumes: [String]
        /// `443/tcp`.
        package var ports: [String]
        /// Empty: root.
        package var user: String
        /// For how long a start may take, as far as the image's own check of its health tells; nil: it has
        /// none.
        package var startMilliseconds: UInt64?

        package init(
            volumes: [String] = [], ports: [String] = [], user: String = "", startMilliseconds: UInt64? = nil
        ) {
            self.volumes = volumes
            self.ports = ports
            self.user = user
            self.startMilliseconds = startMilliseconds
        }
    }

    /// Why there can be none.
    package enum Fault: Error, Equatable, Sendable {
        /// The name of the image has something that no name has.
        case name
        /// No port that speaks TLS is exposed; these are.
        case noTLSPort([String])
    }

    /// The most usual ports for TLS; then every other one that ends like them.
    private static let tlsPorts: [UInt16] = [443, 8443]
    private static let httpPorts: [UInt16] = [80, 8080]
    /// For how long it is waited for a site of an image that says nothing.
    private static let readySeconds: UInt64 = 60
    private static let readySecondsMax: UInt64 = 3600
    /// What a site's folder has besides volumes.
    private static let takenNames: Set<String> = ["tls", "env", "runme"]

    private let image: String
    private let domain: String
    private let declaration: Declaration
    /// Where it speaks TLS, and HTTP if it does.
    package let ports: Runme.Ports
    /// By the folder's name: where it is mounted.
    package let volumes: [String: String]
    /// Declared volumes that a runme cannot have.
    package let oddVolumes: [String]

    /// - Parameters:
    ///   - image: Its name or digest.
    ///   - tlsPort: Where it speaks TLS, if that is known better than the image says.
    package init(
        image: String, _ declaration: Declaration, domain: String, tlsPort: UInt16? = nil
    ) throws(Fault) {
        let isName = image.utf8.allSatisfy { byte in
            let character = Unicode.Scalar(byte)
            return character.properties.isAlphabetic || "0123456789._-/:@".unicodeScalars.contains(character)
        }
        guard isName, !image.isEmpty, image.utf8.allSatisfy({ $0 < 128 }) else { throw .name }
        self.image = image
        self.domain = domain
        self.declaration = declaration
        let exposed = declaration.ports.compactMap(Self.tcpPort)
        guard
            let tls = tlsPort ?? Self.tlsPorts.first(where: exposed.contains)
                ?? exposed.first(where: { "\($0)".hasSuffix("443") })
        else { throw .noTLSPort(declaration.ports) }
        ports = Runme.Ports(tls: tls, http: Self.httpPorts.first { exposed.contains($0) && $0 != tls })
        (volumes, oddVolumes) = Self.name(declaration.volumes)
    }

    /// `443/tcp`; nil: another protocol, or no number.
    private static func tcpPort(_ text: String) -> UInt16? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 1 || (parts.count == 2 && parts[1] == "tcp"), let port = UInt16(parts[0]),
            port > 0
        else { return nil }
        return port
    }

    // MARK: Volumes

    /// Each gets a folder that is called like the end of its path.
    private static func name(_ paths: [String]) -> (volumes: [String: String], odd: [String]) {
        var volumes: [String: String] = [:]
        var odd: [String] = []
        for path in paths.sorted() {
            // The certificate's folder is mounted there.
            guard let plain = plainPath(path), plain != "/tls" else {
                odd.append(path)
                continue
            }
            guard !volumes.values.contains(plain) else { continue }
            let base = label(of: plain)
            var name = base
            var count = 2
            while takenNames.contains(name) || volumes[name] != nil {
                name = "\(base)-\(count)"
                count += 1
            }
            volumes[name] = plain
        }
        return (volumes, odd)
    }

    /// As a runme takes it, without a slash at its end.
    private static func plainPath(_ path: String) -> String? {
        let parts = path.split(separator: "/")
        guard path.hasPrefix("/"), !parts.isEmpty, !parts.contains("."), !parts.contains(".."),
            !path.contains(":"), path.unicodeScalars.allSatisfy({ $0.value >= 32 && $0.value != 127 })
        else { return nil }
        return "/" + parts.joined(separator: "/")
    }

    private static func label(of path: String) -> String {
        let last = path.split(separator: "/").last ?? ""
        let letters = last.lowercased().unicodeScalars.map { scalar -> Character in
            let isPlain = ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar)
            return isPlain ? Character(scalar) : "-"
        }
        let label = String(letters.drop { $0 == "-" }.prefix(50))
        return label.isEmpty ? "data" : label
    }

    // MARK: Text

    /// The runme.
    package var text: String {
        var lines = [
            Runme.firstLine,
            "# Made from what the image \(image) declares; see to what is marked with TODO.",
            "runme: \(Runme.format)", "domain: \(Self.quoted(domain))", "start:", "  docker:",
            "    image: \(Self.quoted(image))",
        ]
        let http = ports.http.map { ", http: \($0)" } ?? ""
        lines.append("    ports: { tls: \(ports.tls)\(http) }")
        lines += volumeLines + userLines + readyLines
        lines += [
            "# The certificate with its key; the container sees it under /tls, and its place in",
            "# $SWITCHYARD_CERTIFICATE.",
            "tls: { certificate: \(Self.quoted("tls/\(domain).pem")) }",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private var volumeLines: [String] {
        var lines: [String] = []
        if volumes.isEmpty {
            lines += [
                "    # The image declares no volume: what it writes is gone when its container is made anew.",
                "    # TODO: volumes: { data: /where/it/writes }",
            ]
        } else {
            lines.append("    volumes:")
            lines += volumes.sorted { $0.key < $1.key }.map { "      \($0.key): \(Self.quoted($0.value))" }
        }
        return lines
            + oddVolumes.map { path in
                "    # TODO: the image declares the volume \(Self.quoted(path)), which a runme cannot have."
            }
    }

    private var userLines: [String] {
        guard !declaration.user.isEmpty else { return [] }
        return [
            "# It runs as the user \(Self.quoted(declaration.user)), who has to be able to read the"
                + " certificate's file and to write",
            "# the volumes; those that are new begin with the image's own owners.",
        ]
    }

    private var readyLines: [String] {
        guard let milliseconds = declaration.startMilliseconds else {
            return ["ready: { check: hello, within: \(Self.readySeconds)s }"]
        }
        let seconds = min(Self.readySecondsMax, max(Self.readySeconds, (milliseconds + 999) / 1000))
        return [
            "# By its own HEALTHCHECK a start may take \((milliseconds + 999) / 1000) s.",
            "ready: { check: hello, within: \(seconds)s }",
        ]
    }

    /// As it is where it can be nothing but a text, in quotes elsewhere (YAML takes those of JSON).
    private static func quoted(_ text: String) -> String {
        let isPlain =
            text.utf8.first.map { $0 == UInt8(ascii: "/") || isLetter($0) } == true
            && text.utf8.allSatisfy { isLetter($0) || "0123456789._/-:".utf8.contains($0) }
            && !text.hasSuffix(":") && !["true", "false", "null", "yes", "no", "on", "off"].contains(text)
        guard !isPlain else { return text }
        let digits = Array("0123456789abcdef")
        return text.unicodeScalars.reduce(into: "\"") { result, scalar in
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _ where scalar.value < 32 || scalar.value == 127:
                result += "\\u00\(digits[Int(scalar.value >> 4)])\(digits[Int(scalar.value & 15)])"
            default: result.unicodeScalars.append(scalar)
            }
        } + "\""
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
