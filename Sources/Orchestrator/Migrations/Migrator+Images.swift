import Foundation
import Linux
import Migration
import YardKit

/// Images of sites that come. A name is given to one only with the grant, and taken away again with the site:
/// a peer whose site never starts here must not decide what another site's image is called.
extension Migrator {
    /// What a migration has brought, a line each: identifiers of images that came, and names that they got.
    private func notePath(_ migration: DestinationMigration) -> String { incoming(migration) + "/images" }

    /// Whether all images that the runme wants are here, and could have their names.
    func fetchImages(
        _ migration: DestinationMigration, of folder: SiteFolder
    ) async throws(Refusal) -> DestinationMigration.Result {
        let offered = ImageReference.list(migration.offer.image)
        for name in try folder.manifest().runme.namedImages {
            guard let image = offered.first(where: { $0.name == name }) else {
                return .refused(reason: "the offer does not say which \(name) is meant")
            }
            guard try await has(image) else { return .missing }
        }
        return .done
    }

    /// Whether an image is here, under its name or without one.
    func has(_ image: ImageReference) async throws(Refusal) -> Bool {
        let here = try await engine.use { (engine) throws(EngineError) in
            (try await engine.image(image.name), try await engine.image(image.identifier))
        }
        if let named = here.0, named.identifier != image.identifier {
            throw Refusal(.conflict, "another image is called \(image.name) here")
        }
        return here.1 != nil
    }

    /// Gives the images of the offer their names.
    func nameImages(_ migration: DestinationMigration) async throws(Refusal) {
        for image in ImageReference.list(migration.offer.image) {
            let named = try await engine.use { (engine) throws(EngineError) in
                try await engine.image(image.name)
            }
            if named?.identifier == image.identifier { continue }
            guard named == nil else {
                throw Refusal(.conflict, "another image is called \(image.name) here")
            }
            try note(image.name, migration)
            try await engine.use { (engine) throws(EngineError) in
                try await engine.tagImage(image.identifier, as: image.name)
            }
        }
    }

    /// Remembers what is to be removed if the site does not stay.
    func note(_ image: String, _ migration: DestinationMigration) throws(Refusal) {
        let path = notePath(migration)
        let lines = noted(migration)
        guard !lines.contains(image) else { return }
        do throws(Errno) {
            try writeFileAtomically(path, Array((lines + [image, ""]).joined(separator: "\n").utf8))
        } catch {
            throw Refusal(.unavailable, "\(path) cannot be written: \(error)")
        }
    }

    private func noted(_ migration: DestinationMigration) -> [String] {
        let bytes = (try? readFile(notePath(migration), bytesMax: 1 << 20)) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Takes the names and images away that have come with a migration. What something else uses stays.
    func removeImages(_ migration: DestinationMigration) async {
        for image in noted(migration).reversed() {
            try? await engine.use { (engine) throws(EngineError) in
                try await engine.removeImage(image, isForced: false)
            }
        }
    }
}
