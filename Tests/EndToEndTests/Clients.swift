import Support

/// A real TLS client.
enum Client: CaseIterable, Sendable {
    case curl
    case openssl
    case python

    /// The fingerprint of the certificate that the client gets when it asks for the name.
    func fingerprint(of name: String, through edge: Edge) throws -> String {
        switch self {
        case .curl:
            let seen = try Curl.get(name, through: edge, options: ["--insecure", "-w", "%{certs}"])
            return try fingerprint(ofCertificateIn: seen.output)
        case .openssl:
            let seen = try OpenSSLClient.connect(to: edge, ["-servername", name, "-showcerts"])
            return try fingerprint(ofCertificateIn: seen.output)
        case .python:
            let seen = try PythonClient.get(name, through: edge)
            return try TestCertificate.fingerprint(in: seen.output)
        }
    }

    private func fingerprint(ofCertificateIn text: String) throws -> String {
        let folder = try TemporaryFolder()
        let file = try folder.write("seen.pem", text)
        let shown = try run("openssl", ["x509", "-in", file, "-noout", "-fingerprint", "-sha256"])
        guard shown.succeeded else {
            throw ChildProcessError(description: "no certificate was seen: \(text)\n\(shown.errors)")
        }
        return try TestCertificate.fingerprint(in: shown.output)
    }
}

/// curl, with a name that leads to the edge.
enum Curl {
    /// - Parameter certificate: the only one that it trusts.
    static func get(
        _ name: String, path: String = "/", through edge: Edge, trusting certificate: TestCertificate? = nil,
        options: [String] = [], seconds: Double = 60
    ) throws -> Finished {
        let trust = certificate.map { ["--cacert", $0.certificatePath] } ?? []
        let place = ["--resolve", "\(name):\(edge.port):127.0.0.1", "https://\(name):\(edge.port)\(path)"]
        return try run("curl", ["-sS", "--noproxy", "*"] + trust + options + place, seconds: seconds)
    }
}

/// `openssl s_client`.
enum OpenSSLClient {
    /// Makes a handshake, sends nothing, ends.
    static func connect(to edge: Edge, _ options: [String]) throws -> Finished {
        try run("openssl", ["s_client", "-connect", edge.endpoint.description] + options)
    }
}

/// Python's ssl, over a connection that `tls_client.py` feeds by hand.
enum PythonClient {
    /// - Parameter name: nil for a hello without a name.
    static func get(_ name: String?, through edge: Edge, options: [String] = []) throws -> Finished {
        try run(
            "python3",
            [Repository.path("Tests/Programs/tls_client.py"), "127.0.0.1", String(edge.port), name ?? "-"]
                + options)
    }
}

/// The bytes that tests send and expect by hand.
enum Bytes {
    /// A fatal alert in a record of its own; the version is the edge's choice.
    static func isAlert(_ bytes: [UInt8], _ description: UInt8) -> Bool {
        bytes.count == 7 && bytes[0] == 21 && bytes[1] == 3 && bytes[3...] == [0, 2, 2, description]
    }

    /// Bytes that are not all alike, so that a shift or a swap is noticed.
    static func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }
}
