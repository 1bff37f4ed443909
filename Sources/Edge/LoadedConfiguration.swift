package import DataPlane
import Linux
package import Routes

/// A configuration and its routes as they were read, checked and compiled; nothing of it is in force yet.
package struct LoadedConfiguration: Sendable {
    /// What `switchyard.conf` says.
    package var configuration: Configuration
    /// The compiled routes.
    package var table: RouteTable
    /// `allow` and `deny`, compiled.
    package var gate: SourceGate
    /// How many routes files, routes and names there are.
    package var fileCount: Int
    package var routeCount: Int
    package var nameCount: Int
    /// Warnings for their author, as text; empty when there are none.
    package var warnings: String
    /// From the first read until the table was compiled.
    package var loadNanoseconds: UInt64
}

/// Why a configuration cannot be used: all its diagnostics, as text of one or more lines.
package struct InvalidConfiguration: Error {
    /// The text; every error names its file, line and column where it has one.
    package var text: String
}

extension Configuration {
    /// Where a directive stands, as diagnostics begin: `file:line:column`, or the file alone.
    func location(of directive: ConfigurationDirective, in path: String) -> String {
        guard let place = place(of: directive) else { return path }
        return "\(path):\(place.line):\(place.start - place.lineStart + 1)"
    }
}

extension LoadedConfiguration {
    /// Reads a configuration file and the routes files that it names. All errors are reported together.
    package static func load(
        _ path: String, seed: HashSeed
    ) throws(InvalidConfiguration) -> LoadedConfiguration {
        let start = monotonicNanoseconds()
        let file = try readSource(path)
        let configuration: Configuration
        var warnings: DiagnosticList
        do throws(InvalidSource) {
            (configuration, warnings) = try Configuration.parse(file)
        } catch {
            throw InvalidConfiguration(text: error.diagnostics.rendered)
        }
        var refusals: [String] = []
        let sources = try readRoutes(configuration, of: file, refusals: &refusals)
        do throws(InvalidSource) {
            let compiled = try RouteCompiler.compile(sources, seed: seed)
            warnings.add(contentsOf: compiled.warnings)
            let table = RouteTable(copying: compiled.image)
            guard refusals.isEmpty else { throw InvalidSource(diagnostics: DiagnosticList()) }
            // Allowed, for a start; after a reload it is the sign of a pattern that fits no more.
            let emptiness =
                compiled.routeCount == 0
                ? ["\(path): warning: there is no route: every hello is refused"] : []
            let texts = (warnings.rendered.isEmpty ? [] : [warnings.rendered]) + emptiness
            return LoadedConfiguration(
                configuration: configuration, table: table, gate: SourceGate(configuration.sources),
                fileCount: sources.count, routeCount: compiled.routeCount, nameCount: compiled.nameCount,
                warnings: texts.joined(separator: "\n"), loadNanoseconds: monotonicNanoseconds() - start)
        } catch {
            let text = error.diagnostics.rendered
            throw InvalidConfiguration(
                text: (refusals + (text.isEmpty ? [] : [text])).joined(separator: "\n"))
        }
    }

    private static func readSource(_ path: String) throws(InvalidConfiguration) -> SourceFile {
        do {
            return SourceFile(path: path, bytes: try readFile(path))
        } catch {
            throw InvalidConfiguration(text: "\(path): error: cannot be read: \(error)")
        }
    }

    /// The routes files in the order of the configuration; one that two patterns name is read once.
    private static func readRoutes(
        _ configuration: Configuration, of file: SourceFile, refusals: inout [String]
    ) throws(InvalidConfiguration) -> [SourceFile] {
        var sources: [SourceFile] = []
        var seen: Set<String> = []
        for pattern in configuration.routes {
            let resolved = file.resolve(pattern.pattern)
            let place =
                "\(file.path):\(pattern.place.line):\(pattern.place.start - pattern.place.lineStart + 1)"
            let paths: [String]
            do {
                paths = try expandPattern(resolved)
            } catch {
                throw InvalidConfiguration(text: "\(place): error: \(resolved): \(error)")
            }
            if paths.isEmpty, !pattern.pattern.contains(where: { "*?[".contains($0) }) {
                refusals.append("\(place): error: there is no file \(resolved)")
            }
            for path in paths where seen.insert(path).inserted { sources.append(try readSource(path)) }
        }
        return sources
    }
}

extension Edge {
    /// Reads a configuration as a start would; returns its warnings and a summary, as text.
    package static func check(_ path: String) throws(InvalidConfiguration) -> String {
        let seed = HashSeed(first: randomBits(), second: randomBits())
        let loaded = try LoadedConfiguration.load(path, seed: seed)
        return (loaded.warnings.isEmpty ? "" : loaded.warnings + "\n")
            + warningOfUser(loaded.configuration, path)
            + "\(path): ok: \(loaded.configuration.listeners.count) listeners, "
            + "\(loaded.fileCount) routes files, "
            + "\(loaded.routeCount) routes, \(loaded.nameCount) names\n"
    }

    /// No error: the files may be for another machine.
    private static func warningOfUser(_ configuration: Configuration, _ path: String) -> String {
        guard let name = configuration.user else { return "" }
        do throws(Errno) {
            _ = try SystemUser(named: name)
            return ""
        } catch {
            return "\(configuration.location(of: .user, in: path)): warning: this machine has no user "
                + "\(name): the edge cannot start here\n"
        }
    }
}
