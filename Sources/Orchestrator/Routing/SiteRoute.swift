package import Runme

/// Where the edge is told to send the names of a site.
package enum SiteRoute: Equatable, Sendable {
    /// It is not wanted to run: alert `unrecognized_name`.
    case reject
    /// It does not serve now: sessions wait, and this socket is told of them.
    case asleep(wakeSocket: String)
    /// It is about to move: sessions wait.
    case held
    /// Another hoster serves it, whose edge is told the client's address.
    case elsewhere(tls: String, http: String?)
    /// It serves there; the second address is for plain HTTP, where it has one. `proxy`: how it is told the
    /// client's address.
    case target(String, http: String?, proxy: Runme.ProxyHeader? = nil)

    /// A line of a routes file, without its end.
    package func line(for names: [String]) -> String {
        let words =
            switch self {
            case .reject: "reject"
            case .asleep(let wakeSocket): "asleep wake=unix:\(wakeSocket)"
            case .held: "held"
            case .elsewhere(let address, let http):
                address + " proxy=v2" + (http.map { " http=\($0)" } ?? "")
            case .target(let address, let http, let proxy):
                address + (http.map { " http=\($0)" } ?? "") + (proxy.map { " proxy=\($0)" } ?? "")
            }
        return "\(names.joined(separator: ",")) \(words)"
    }
}

/// The routes file that yardmaster is the author of, as text.
package enum RoutesText {
    private static let header = """
        # Written by yardmaster whenever a site starts, sleeps or goes. What is changed here is lost.
        # Each line stands for the site or the container that is named behind it.

        """

    /// The whole file. Keys are domains, or containers with labels; none of them has a blank.
    package static func text(_ lines: [String: String]) -> String {
        header + lines.sorted { $0.key < $1.key }.map { "\($0.value) # \($0.key)\n" }.joined()
    }

    /// The lines of a file by their keys, as an earlier process has left them. What does not look like one of
    /// ours is left out.
    package static func lines(of text: String) -> [String: String] {
        var lines: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let mark = line.lastIndex(of: "#"), mark > line.startIndex else { continue }
            let key = line[line.index(after: mark)...].drop { $0 == " " }
            let route = line[..<mark]
            guard !key.isEmpty, !key.contains(" "), route.hasSuffix(" ") else { continue }
            lines[String(key)] = String(route.dropLast())
        }
        return lines
    }

    /// The lines as they go together: a name that a site has is none of a container's.
    package static func settled(_ lines: [String: String]) -> [String: String] {
        guard lines.keys.contains(where: isContainer) else { return lines }
        let taken = lines.filter { !isContainer($0.key) }.values.flatMap(names)
        return without(Set(taken), inContainers: lines)
    }

    /// The names that containers have.
    package static func containerNames(_ lines: [String: String]) -> Set<String> {
        Set(lines.filter { isContainer($0.key) }.values.flatMap(names))
    }

    /// The lines without some names of containers; those of sites stay as they are.
    package static func without(
        _ taken: Set<String>, inContainers lines: [String: String]
    ) -> [String: String] {
        var rest = lines
        for (key, line) in lines where isContainer(key) {
            let left = names(line).filter { !taken.contains($0) }
            guard left.count < names(line).count else { continue }
            let words = line.drop { $0 != " " }
            rest[key] = left.isEmpty ? nil : left.joined(separator: ",") + words
        }
        return rest
    }

    private static func isContainer(_ key: String) -> Bool { key.hasPrefix(LabelledContainers.keyPrefix) }

    private static func names(_ line: String) -> [String] {
        line.prefix { $0 != " " }.split(separator: ",").map(String.init)
    }
}
