package import Runme

extension Runme {
    /// The text that says this: reading it gives the same again.
    package var text: String {
        var lines = [Self.firstLine, "runme: \(Self.format)", "domain: \(quoted(domain))"]
        if !aliases.isEmpty { lines.append("aliases: \(list(aliases))") }
        if let product { lines.append("product: \(quoted(product))") }
        if let version { lines.append("version: \(quoted(version))") }
        lines.append("start:")
        switch start {
        case .docker(let docker):
            lines.append("  docker:")
            lines += Self.lines(of: docker.container).map { "    \($0)" }
            lines.append("    ports: \(Self.words(for: docker.ports))")
            if !docker.sidecars.isEmpty { lines.append("    sidecars:") }
            for (name, container) in docker.sidecars.sorted(by: { $0.key < $1.key }) {
                lines.append("      \(name):")
                lines += Self.lines(of: container).map { "        \($0)" }
            }
        case .vagrant(let vagrant):
            lines.append(
                "  vagrant: { directory: \(quoted(vagrant.directory)), address: \(quoted(vagrant.address)), "
                    + "ports: \(Self.words(for: vagrant.ports)) }")
        case .command(let command):
            lines.append(
                "  command: { exec: \(list(command.arguments)), ports: \(Self.words(for: command.ports)) }")
        }
        if let snapshot {
            let place = snapshot.sidecar.map { ", in: \(quoted($0))" } ?? ""
            lines.append("snapshot: { exec: \(list(snapshot.arguments))\(place) }")
        }
        if ready != Ready() {
            lines.append("ready: { check: \(ready.check.rawValue), within: \(ready.withinMilliseconds)ms }")
        }
        if let sleepAfterMilliseconds { lines.append("sleep: { after: \(sleepAfterMilliseconds)ms }") }
        if let certificatePath { lines.append("tls: { certificate: \(quoted(certificatePath)) }") }
        if let backup {
            lines.append("backup: { every: \(backup.everyMilliseconds)ms, to: \(list(backup.remotes)) }")
        }
        if let mailForward { lines.append("mail: { forward: \(quoted(mailForward)) }") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(of container: Container) -> [String] {
        var lines: [String] = []
        switch container.image {
        case .named(let name): lines.append("image: \(quoted(name))")
        case .archive(let path): lines.append("archive: \(quoted(path))")
        }
        if !container.volumes.isEmpty {
            let volumes = container.volumes.sorted { $0.key < $1.key }.map {
                "\($0.key): \(quoted($0.value))"
            }
            lines.append("volumes: { \(volumes.joined(separator: ", ")) }")
        }
        if let environmentPath = container.environmentPath {
            lines.append("env_file: \(quoted(environmentPath))")
        }
        if let memory = container.memoryBytes { lines.append("memory: \(words(forBytes: memory))") }
        return lines
    }

    private static func words(for ports: Ports) -> String {
        "{ tls: \(ports.tls)\(ports.http.map { ", http: \($0)" } ?? "") }"
    }

    private static func words(forBytes count: UInt64) -> String {
        for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] where count % (1 << shift) == 0 {
            return "\(count >> shift)\(unit)"
        }
        return "\(count)B"
    }
}

private func list(_ texts: [String]) -> String { "[ \(texts.map(quoted).joined(separator: ", ")) ]" }

/// As it is where that is plain; a runme has no control characters.
private func quoted(_ text: String) -> String {
    let isPlain =
        text.utf8.first.map { UInt8(ascii: "a") <= $0 && $0 <= UInt8(ascii: "z") } ?? false
        && text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "./-_".utf8.contains(byte)
        }
    if isPlain { return text }
    let escaped = text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
    return "\"\(escaped)\""
}
