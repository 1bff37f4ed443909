import Support

/// A real backend in plain HTTP. Python's writes each request that it gets into its output.
final class WebServer {
    let endpoint: Endpoint
    /// Where nginx notes the requests.
    let logPath: String
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// Python's, which closes only when it is asked to.
    init() throws {
        folder = try TemporaryFolder()
        logPath = folder.path("access.log")
        endpoint = .ipv4(port: try FreePort.any())
        process = try ChildProcess(
            "python3", [Repository.path("Tests/Programs/web_server.py"), endpoint.description])
        try process.waitForErrorLine { $0 == "listening" }
    }

    private init(_ folder: TemporaryFolder, _ endpoint: Endpoint, _ process: ChildProcess) {
        self.folder = folder
        self.endpoint = endpoint
        self.process = process
        logPath = folder.path("access.log")
    }

    /// Those that Python's has seen, a line each.
    var requests: [Substring] { process.output.split(separator: "\n") }

    /// nginx with one page.
    static func nginx() throws -> WebServer {
        let folder = try TemporaryFolder()
        let endpoint = Endpoint.ipv4(port: try FreePort.any())
        try folder.write("www/index.html", "a page\n")
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder.path($0));" }.joined(separator: "\n")
        let configuration = try folder.write(
            "nginx.conf",
            """
            daemon off;
            master_process off;
            pid \(folder.path("nginx.pid"));
            error_log stderr warn;
            events { worker_connections 64; }
            http {
                access_log \(folder.path("access.log"));
                \(temporary)
                server {
                    listen \(endpoint);
                    root \(folder.path("www"));
                }
            }

            """)
        let process = try ChildProcess("nginx", ["-p", folder.path, "-c", configuration])
        guard Pause.until({ (try? StreamSocket(to: endpoint)) != nil }) else {
            throw ChildProcessError(description: "nginx does not serve: \(process.errors)")
        }
        return WebServer(folder, endpoint, process)
    }
}
