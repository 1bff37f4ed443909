import Foundation

/// The first content of a volume: what the image has at that place, with its owners and rights. The engine
/// does so with its own volumes; a folder of the host would hide it.
struct VolumeSeed {
    /// Where the volume is to be; there is nothing yet.
    let path: String
    /// Where it is mounted.
    let target: String
    let image: String
    /// The site that the container for reading belongs to, so that it is found again after a crash.
    let site: String

    func plant(_ engine: EngineLink) async throws(Refusal) {
        let partial = path + ".partial"
        let file = path + ".seed"
        defer {
            try? FileManager.default.removeItem(atPath: file)
            try? FileManager.default.removeItem(atPath: partial)
        }
        do {
            try? FileManager.default.removeItem(atPath: partial)
            try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
        } catch {
            throw Refusal(.unavailable, "\(path) cannot be made: \(error.localizedDescription)")
        }
        if try await fetch(engine, to: file) {
            try await Tool.run(
                [
                    "tar", "--extract", "--preserve-permissions", "--same-owner", "--numeric-owner", "--file",
                    file,
                    "--directory", partial,
                ])
        }
        do {
            try FileManager.default.moveItem(atPath: partial, toPath: path)
        } catch {
            throw Refusal(.unavailable, "\(path) cannot be made: \(error.localizedDescription)")
        }
    }

    /// False: the image has nothing there.
    private func fetch(_ engine: EngineLink, to file: String) async throws(Refusal) -> Bool {
        try await engine.use { (engine) throws(EngineError) in
            var specification = ContainerSpecification(image: image)
            specification.labels = [DockerSite.Label.site: site]
            specification.network = "none"
            // An image need not have a command; this one is never started.
            specification.command = ["-"]
            let container = try await engine.createContainer(
                "switchyard-seed-\(UUID().uuidString)", specification)
            do throws(EngineError) {
                let isThere = try await engine.copy("\(target)/.", from: container, to: file)
                try await engine.removeContainer(container)
                return isThere
            } catch {
                try? await engine.removeContainer(container)
                throw error
            }
        }
    }
}
