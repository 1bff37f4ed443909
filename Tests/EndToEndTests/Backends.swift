import Support

/// A real TLS server behind the edge, with a certificate of its own.
final class Backend {
    /// Which program it is.
    enum Program: CaseIterable, Sendable {
        case nginx
        case openssl
        case python
    }

    /// What kind of address it listens on.
    enum Address: CaseIterable, Sendable {
        case ipv4
        case ipv6
        case unix
    }

    let certificate: TestCertificate
    /// As a route has it.
    let endpoint: Endpoint
    /// Where nginx serves files from (`www/`) and puts uploads (`www/upload/`).
    let folder: TemporaryFolder
    private var process: ChildProcess

    /// Starts it and waits until it serves.
    init(_ program: Program, for name: String, at address: Address = .ipv4) throws {
        folder = try TemporaryFolder()
        certificate = try TestCertificate(for: name, in: folder)
        switch address {
        case .ipv4: endpoint = .ipv4(port: try FreePort.any())
        case .ipv6: endpoint = .ipv6(port: try FreePort.any())
        case .unix: endpoint = .unix(path: folder.path("socket"))
        }
        switch program {
        case .nginx: process = try Self.startNginx(folder, certificate, endpoint)
        case .openssl: process = try Self.startOpenSSL(certificate, endpoint)
        case .python: process = try Self.startPython(certificate, endpoint)
        }
        let endpoint = endpoint
        let serves = Pause.until {
            guard process.isRunning else { return true }
            return (try? StreamSocket(to: endpoint)) != nil
        }
        guard serves, process.isRunning else {
            throw ChildProcessError(
                description: "\(program) does not serve: \(process.errors)\(process.output)")
        }
    }

    /// The route that leads here.
    var route: String { "\(certificate.name) \(endpoint)" }

    private static func startNginx(
        _ folder: TemporaryFolder, _ certificate: TestCertificate, _ endpoint: Endpoint
    ) throws -> ChildProcess {
        try folder.write("www/index.html", "\(certificate.name) answered by nginx\n")
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder.path($0));" }.joined(separator: "\n")
        let configuration = try folder.write(
            "nginx.conf",
            """
            daemon off;
            master_process off;
            pid \(folder.path("nginx.pid"));
            error_log stderr warn;
            events { worker_connections 512; }
            http {
                access_log off;
                client_max_body_size 0;
                \(temporary)
                server {
                    listen \(endpoint) ssl;
                    ssl_certificate \(certificate.certificatePath);
                    ssl_certificate_key \(certificate.keyPath);
                    ssl_protocols TLSv1.2 TLSv1.3;
                    root \(folder.path("www"));
                    location /upload/ { dav_methods PUT; create_full_put_path on; }
                }
            }

            """)
        return try ChildProcess("nginx", ["-p", folder.path, "-c", configuration])
    }

    /// `-www` answers each request with a page about the connection.
    private static func startOpenSSL(
        _ certificate: TestCertificate, _ endpoint: Endpoint
    ) throws -> ChildProcess {
        let place: [String]
        switch endpoint {
        case .ipv4: place = ["-4", "-accept", endpoint.description]
        case .ipv6: place = ["-6", "-accept", endpoint.description]
        case .unix(let path): place = ["-unix", path]
        }
        return try ChildProcess(
            "openssl",
            ["s_server", "-www", "-cert", certificate.certificatePath, "-key", certificate.keyPath] + place)
    }

    private static func startPython(
        _ certificate: TestCertificate, _ endpoint: Endpoint
    ) throws -> ChildProcess {
        let process = try ChildProcess(
            "python3",
            [
                Repository.path("Tests/Programs/tls_server.py"), endpoint.description,
                certificate.certificatePath, certificate.keyPath, certificate.name,
            ])
        try process.waitForErrorLine { $0.hasPrefix("listening ") }
        return process
    }
}
