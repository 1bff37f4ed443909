import Foundation
import Linux

/// The first content of a volume: what the image has at that place, with its owners and rights. The engine
/// does so with its own volumes; a folder of the host would hide it.
struct VolumeSeed {
    static let namePrefix = "switchyard-seed-"

    /// A folder beside the volume, for the time of this: root's, and nobody else looks or reaches into it.
    private static let nursery = ".switchyard-seed"
    private static let archive = "content.tar"
    private static let volume = "volume"

    let folder: SiteFolder
    /// Where the volume is to be in the folder; there is nothing yet.
    let name: String
    /// Where it is mounted.
    let target: String
    let image: String
    /// Those of the site that the container for reading belongs to, so that it is found again after a crash.
    let labels: [String: String]

    /// The owner of the folder may move everything in it, and put links anywhere, while root works here. So
    /// all is done in folders that are held open, and what is written to is in one that only root reaches.
    func plant(_ engine: EngineLink) async throws(Refusal) {
        let (parent, last) = try makeParent()
        defer { withExtendedLifetime(parent) {} }
        try await clear(parent)
        do throws(Refusal) { try await grow(parent, last, engine) } catch {
            try? await clear(parent)
            throw error
        }
        try await clear(parent)
    }

    /// What is left of this time, or of one that a crash has ended. rm goes from open folder to open folder.
    private func clear(_ parent: HeldPath) async throws(Refusal) {
        try await Tool.run(["rm", "-rf", "--", Self.nursery], in: parent.path)
    }

    private func makeParent() throws(Refusal) -> (HeldPath, String) {
        var names = name.split(separator: "/").map(String.init)
        let last = names.removeLast()
        do throws(Errno) {
            var parent = try HeldPath.open(folder.path)
            for name in names {
                // What is there already, and what it is, the next line tells.
                try? parent.makeFolder(name, mode: 0o755)
                parent = try parent.inner(name)
            }
            return (parent, last)
        } catch {
            throw refusal("\(error)")
        }
    }

    private func grow(
        _ parent: HeldPath, _ last: String, _ engine: EngineLink
    ) async throws(Refusal) {
        let nursery = try makeNursery(parent)
        defer { withExtendedLifetime(nursery) {} }
        if try await fetch(engine, to: "\(nursery.path)/\(Self.archive)") {
            try await Tool.run(
                [
                    "tar", "--extract", "--preserve-permissions", "--same-owner", "--numeric-owner", "--file",
                    Self.archive, "--directory", Self.volume,
                ], in: nursery.path)
        }
        do throws(Errno) {
            try nursery.rename(Self.volume, to: parent, last)
        } catch {
            throw refusal("\(error)")
        }
    }

    private func makeNursery(_ parent: HeldPath) throws(Refusal) -> HeldPath {
        do throws(Errno) {
            try parent.makeFolder(Self.nursery, mode: 0o700)
            // Somebody may have put another one in its place.
            let nursery = try parent.inner(Self.nursery)
            guard nursery.user == effectiveUser(), nursery.mode & 0o077 == 0 else { throw .forbidden }
            try nursery.makeFolder(Self.volume, mode: 0o755)
            return nursery
        } catch {
            throw refusal("\(error)")
        }
    }

    private func refusal(_ reason: String) -> Refusal {
        Refusal(.unavailable, "\(folder.path)/\(name) cannot be made: \(reason)")
    }

    /// False: the image has nothing there.
    private func fetch(_ engine: EngineLink, to file: String) async throws(Refusal) -> Bool {
        try await engine.use { (engine) throws(EngineError) in
            var specification = ContainerSpecification(image: image)
            specification.labels = labels
            specification.network = "none"
            // An image need not have a command; this one is never started.
            specification.command = ["-"]
            let container = try await engine.createContainer(
                Self.namePrefix + UUID().uuidString, specification)
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
