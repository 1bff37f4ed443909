import Foundation
import Routes
import Runme

/// Makes a runme from an image that the engine has, and finds out on request what the image writes outside of
/// its volumes.
package struct BlueprintMaker: Sendable {
    /// What came out.
    package struct Result: Equatable, Sendable {
        /// The runme.
        package var text: String
        /// What the audit has found; nil: there was none.
        package var written: [Audit.Finding]?
        /// What somebody should know.
        package var warnings: [String] = []
    }

    private let engine: EngineLink
    /// Where a folder for the audit's certificate may be made.
    private let scratchFolder: String

    package init(_ engine: EngineLink, scratchFolder: String) {
        self.engine = engine
        self.scratchFolder = scratchFolder
    }

    /// - Parameters:
    ///   - tlsPort: Where the image speaks TLS, if that is known better than it says.
    ///   - auditSeconds: For how long it is run; nil: it is not.
    package func make(
        image name: String, domain: String, tlsPort: UInt16?, auditSeconds: Int?, _ progress: Progress
    ) async throws(Refusal) -> Result {
        let found = try await engine.use { (engine) throws(EngineError) in try await engine.image(name) }
        guard let image = found else {
            throw Refusal(.missing, "there is no image \(name) here: get it first (docker pull \(name))")
        }
        let blueprint: Blueprint
        do throws(Blueprint.Fault) {
            blueprint = try Blueprint(
                image: name, image.declaration, domain: domain, tlsPort: tlsPort)
        } catch {
            throw Refusal(error, image: name)
        }
        var result = Result(text: blueprint.text)
        result.warnings = blueprint.oddVolumes.map {
            "the volume \($0) is left out: a runme cannot have one there"
        }
        // What we write we can read, unless the domain is none.
        let bytes = Array(blueprint.text.utf8)
        do throws(InvalidSource) {
            _ = try Runme.parse(SourceFile(path: SiteFolder.manifestName, bytes: bytes))
        } catch {
            throw Refusal(.invalid, error.diagnostics.rendered)
        }
        if let auditSeconds {
            let audit = Audit(image: image, volumes: Array(blueprint.volumes.values), domain: domain)
            let (findings, warning) = try await audit.run(
                engine, seconds: auditSeconds, scratchFolder: scratchFolder, progress)
            result.written = findings
            result.warnings += warning.map { [$0] } ?? []
        }
        return result
    }
}

extension ImageConfiguration {
    /// What a blueprint is made of.
    fileprivate var declaration: Blueprint.Declaration {
        Blueprint.Declaration(
            volumes: volumes, ports: ports, user: user, startMilliseconds: startMilliseconds)
    }
}

extension Refusal {
    fileprivate init(_ fault: Blueprint.Fault, image: String) {
        switch fault {
        case .name: self.init(.invalid, "`\(image)` is not the name of an image")
        case .noTLSPort(let ports):
            let what = ports.isEmpty ? "no port" : ports.joined(separator: ", ")
            self.init(
                .conflict,
                "\(image) exposes \(what), and none of TLS, which a site has to speak itself; if it does"
                    + " so on another port, say which one (--tls PORT)")
        }
    }
}
