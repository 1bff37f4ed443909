/// A self-signed certificate with its key, made by openssl.
package struct TestCertificate: Sendable {
    /// The name it is for.
    package let name: String
    /// The files, in PEM form.
    package let certificatePath: String
    package let keyPath: String
    /// The SHA-256 fingerprint as openssl prints it: pairs of digits with colons.
    package let fingerprint: String

    /// Makes one. A name that starts with `*.` is written to the folder as `wildcard.`.
    package init(for name: String, in folder: TemporaryFolder) throws {
        let file = name.replacing("*", with: "wildcard")
        self.name = name
        certificatePath = folder.path(file + ".pem")
        keyPath = folder.path(file + ".key")
        let made = try run(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "30",
                "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)",
                "-keyout", keyPath, "-out", certificatePath,
            ])
        guard made.succeeded else { throw ChildProcessError(description: made.everything) }
        let shown = try run("openssl", ["x509", "-in", certificatePath, "-noout", "-fingerprint", "-sha256"])
        fingerprint = try Self.fingerprint(in: shown.output)
    }

    /// The fingerprint in what `openssl x509 -fingerprint` prints: `sha256 Fingerprint=AA:BB:…`.
    package static func fingerprint(in text: String) throws -> String {
        guard let line = text.split(separator: "\n").first(where: { $0.contains("ingerprint=") }),
            let value = line.split(separator: "=").last
        else { throw ChildProcessError(description: "no fingerprint in: \(text)") }
        return String(value)
    }
}
