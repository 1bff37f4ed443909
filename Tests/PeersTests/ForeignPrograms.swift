import Foundation
import Support

/// OpenSSL as a client that shows a hoster's certificate, says something, and gives what it was told.
func foreignClient(
    _ hoster: TestHoster?, to server: TestHoster, in folder: TemporaryFolder, protocol name: String?,
    says text: String,
    options: [String] = [], seconds: Double = 5
) async throws -> String {
    var arguments = ["s_client", "-connect", "127.0.0.1:\(server.port)", "-quiet"] + options
    if let hoster {
        let file = try hoster.pemFile(in: folder)
        arguments += ["-cert", file, "-key", file]
    }
    if let name { arguments += ["-alpn", name] }
    let child = try ChildProcess("openssl", arguments, keepsInputOpen: true)
    try? child.write(text)
    // It ends when the server closes.
    _ = await eventually(seconds: seconds) { !child.isRunning }
    child.end()
    return child.output + child.errors
}
