import Wire

/// Containers that somebody else has started and given names: what routes they get.
package struct LabelledContainers: Equatable {
    /// Names, separated by commas; and the port on which the container speaks TLS.
    static let namesLabel = "switchyard.names"
    static let portLabel = "switchyard.port"
    /// What a line of theirs is called in the routes file.
    static let keyPrefix = "container:"

    /// Lines of the routes file, and why some container has none, or not with all of its names.
    package private(set) var lines: [String: String] = [:]
    package private(set) var warnings: [String] = []
    /// The names that have a line.
    private(set) var names: Set<String> = []

    /// `taken`: names of sites, which come first; `elsewhere`: where names stand in other files.
    package init(_ containers: [ContainerSummary], taken: Set<String>, elsewhere: [String: String] = [:]) {
        var taken = taken
        for container in containers.sorted(by: { $0.name < $1.name }) where container.isRunning {
            add(container, &taken, elsewhere)
        }
    }

    private mutating func add(
        _ container: ContainerSummary, _ taken: inout Set<String>, _ elsewhere: [String: String]
    ) {
        func warn(_ text: String) { warnings.append("the container \(container.name): \(text)") }
        guard let port = UInt16(container.labels[Self.portLabel] ?? "443"), port > 0 else {
            return warn("the label \(Self.portLabel) is not a port")
        }
        // In the order of the networks' names, so that the choice does not change.
        guard let address = container.addresses.min(by: { $0.key < $1.key })?.value else {
            return warn("it has no address: give it a network")
        }
        var names: [String] = []
        for word in (container.labels[Self.namesLabel] ?? "").split(separator: ",") {
            let name = String(word).trimmed
            guard let normal = Self.normalised(name) else {
                warn("`\(name)` is not a host name")
                continue
            }
            if let place = elsewhere[normal] {
                warn("\(normal) has a route already: \(place)")
                continue
            }
            guard taken.insert(normal).inserted else {
                warn("\(normal) is another one's already")
                continue
            }
            names.append(normal)
        }
        guard !names.isEmpty else { return }
        self.names.formUnion(names)
        lines[Self.keyPrefix + container.name] =
            SiteRoute.target(HostPort(address, port).description, http: nil).line(for: names)
    }

    /// A host name, or one with an asterisk in front.
    private static func normalised(_ name: String) -> String? {
        let rest = name.hasPrefix("*.") ? String(name.dropFirst(2)) : name
        guard let host = try? HostName.normalise(Array(rest.utf8).span.rawBytes) else { return nil }
        let text = (0..<host.byteCount).reduce(into: "") {
            $0.unicodeScalars.append(Unicode.Scalar(host.bytes.byte(at: $1)))
        }
        return name.hasPrefix("*.") ? "*.\(text)" : text
    }
}

extension String {
    /// Without blanks at its ends.
    fileprivate var trimmed: String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
