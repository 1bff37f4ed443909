import Linux

/// An image that is carried in a site's folder: what `docker save` has written, or a tar file with a
/// Dockerfile, from which it is built.
struct ArchivedImage {
    /// Absolute; for words.
    let path: String
    /// The file itself, which others read, too: by its name they might get another one.
    let file: HeldPath
    /// `switchyard-example.org:site`; what is known of the file is added to it, so that a file that was
    /// replaced is another image.
    let tag: String

    func load(_ engine: EngineLink, _ progress: Progress) async throws(Refusal) -> ImageConfiguration {
        defer { withExtendedLifetime(file) {} }
        guard file.kind == .file else { throw Refusal(.invalid, "\(path) is not a file") }
        let name = nameOfThisVersion
        if let image = try await image(name, engine) { return image }
        if try await hasDockerfile() {
            progress("the image is built")
            try await engine.use { (engine) throws(EngineError) in
                try await engine.buildImage(name, from: file.path) { sent, total in
                    progress("the image is built", Self.fraction(sent, total))
                }
            }
        } else {
            let loaded = try await engine.use { (engine) throws(EngineError) in
                try await engine.loadImages(from: file.path) { sent, total in
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

    private var nameOfThisVersion: String {
        "\(tag)-\(file.byteCount)-\(file.modifiedNanoseconds / 1000)"
    }

    private func hasDockerfile() async throws(Refusal) -> Bool {
        let listing = try await Tool.run(["tar", "-tf", file.path])
        return listing.split(separator: "\n").contains { $0 == "Dockerfile" || $0 == "./Dockerfile" }
    }
}
