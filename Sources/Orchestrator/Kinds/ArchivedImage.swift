import Foundation

/// An image that is carried in a site's folder: what `docker save` has written, or a tar file with a
/// Dockerfile, from which it is built.
struct ArchivedImage {
    /// Absolute.
    let path: String
    /// `switchyard-example.org:site`; what is known of the file is added to it, so that a file that was
    /// replaced is another image.
    let tag: String

    func load(_ engine: EngineLink, _ progress: Progress) async throws(Refusal) -> ImageConfiguration {
        let name = try nameOfThisVersion()
        if let image = try await image(name, engine) { return image }
        if try await hasDockerfile() {
            progress("the image is built")
            try await engine.use { (engine) throws(EngineError) in
                try await engine.buildImage(name, from: path) { sent, total in
                    progress("the image is built", Self.fraction(sent, total))
                }
            }
        } else {
            let loaded = try await engine.use { (engine) throws(EngineError) in
                try await engine.loadImages(from: path) { sent, total in
                    progress("the image is loaded", Self.fraction(sent, total))
                }
            }
            guard loaded.count == 1 else {
                throw Refusal(.invalid, "\(path) has \(loaded.count) images, and one is wanted")
            }
            try await engine.use { (engine) throws(EngineError) in
                try await engine.tagImage(loaded[0], as: name)
            }
        }
        guard let image = try await image(name, engine) else {
            throw Refusal(.failed, "\(path) was taken by the engine, and its image is not there")
        }
        return image
    }

    private func image(_ name: String, _ engine: EngineLink) async throws(Refusal) -> ImageConfiguration? {
        try await engine.use { (engine) throws(EngineError) in try await engine.image(name) }
    }

    private static func fraction(_ sent: UInt64, _ total: UInt64) -> Double {
        total == 0 ? 1 : Double(sent) / Double(total)
    }

    private func nameOfThisVersion() throws(Refusal) -> String {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            let size = attributes[.size] as? UInt64, let time = attributes[.modificationDate] as? Date
        else { throw Refusal(.missing, "\(path) cannot be looked at") }
        return "\(tag)-\(size)-\(UInt64(time.timeIntervalSince1970 * 1e6))"
    }

    private func hasDockerfile() async throws(Refusal) -> Bool {
        let listing = try await Tool.run(["tar", "-tf", path])
        return listing.split(separator: "\n").contains { $0 == "Dockerfile" || $0 == "./Dockerfile" }
    }
}
