import ArgumentParser
import Linux
import YardKit

extension Site {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes an archive of a site: everything that another hoster needs.",
            discussion: """
                PATH is a folder, or a file .tar.zst; yardmaster writes it. A manifest of digests is in it, \
                and the digest of all is printed: the same that `yard site import` prints of it. A site that \
                writes while it is read has to be stopped or asleep. --format 0.3 writes the IndieHosters' \
                migration format, for sites that came in it.
                """)
        @OptionGroup var site: SiteArgument
        @Argument(help: "The archive, which is not there yet.", completion: .file()) var path: String
        @Option(help: "switchyard, or 0.3.") var format = "switchyard"
        @Flag(help: "Leave the certificate and its key out.") var withoutKey = false
        @Option(help: "For 0.3: a dump of the database as it is now.", completion: .file()) var dump: String?
        @OptionGroup var output: OutputOptions

        func run() throws {
            var members = [
                JSONMember(name: "path", value: .string(PathText.plain(absolutePath(path)))),
                JSONMember(name: "format", value: .string(format)),
                JSONMember(name: "without_key", value: .bool(withoutKey)),
            ]
            if let dump {
                members.append(
                    JSONMember(name: "dump", value: .string(PathText.plain(absolutePath(dump)))))
            }
            let result = try site.socket.follow(.post, site.uri + "/export", .object(members), output)
            if output.isJSON { return Output.write([result.line]) }
            let bytes = Human.bytes(result["bytes"].double ?? 0)
            Output.write([
                "\(result["path"].shown): \(result["files"].integer ?? 0) files, \(bytes)",
                "digest \(result["digest"].shown)",
            ])
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a site's folder of an archive; `yard site add` makes it known then.",
            discussion: """
                With --domain the archive is one of the IndieHosters' migration format 0.3, which does not \
                say how the site is served: a static one needs --image and --content, an application with a \
                database --image, --uploads, --plugins and --database-image, and --variable for what the \
                application is told: NAME=TEXT, or NAME=@database-host, @database-name, @database-user, \
                @database-password.
                """)
        @Argument(help: "The archive.", completion: .file()) var path: String
        @Option(help: "For 0.3: the site's domain.") var domain: String?
        @Option(help: "For 0.3: the image that serves it.") var image: String?
        @Option(name: .customLong("tls"), help: "For 0.3: the port on which the image speaks TLS.")
        var tlsPort: UInt16 = 443
        @Option(help: "For 0.3: where a static site's files are mounted.") var content: String?
        @Option(help: "For 0.3: where an application's uploads are mounted.") var uploads: String?
        @Option(help: "For 0.3: where an application's plugins are mounted.") var plugins: String?
        @Option(help: "For 0.3: the database's image.") var databaseImage: String?
        @Option(help: "For 0.3: whom content, uploads and plugins belong to: USER:GROUP, by number.")
        var owner: String?
        @Option(help: "For 0.3: NAME=VALUE.") var variable: [String] = []
        @OptionGroup var socket: YardmasterOptions
        @OptionGroup var output: OutputOptions

        func validate() throws {
            if domain != nil, image == nil { throw ValidationError("--domain needs --image") }
            if variable.contains(where: { !$0.dropFirst().contains("=") }) {
                throw ValidationError("--variable is NAME=VALUE")
            }
        }

        func run() throws {
            var members = [JSONMember(name: "path", value: .string(PathText.plain(absolutePath(path))))]
            let texts = [
                ("domain", domain), ("image", image), ("content_path", content), ("uploads_path", uploads),
                ("plugins_path", plugins), ("database_image", databaseImage), ("owner", owner),
            ]
            for (name, text) in texts {
                if let text { members.append(JSONMember(name: name, value: .string(text))) }
            }
            members.append(JSONMember(name: "tls_port", value: .integer(Int(tlsPort))))
            let variables = variable.map { text in
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return JSONMember(name: String(parts[0]), value: .string(String(parts[1])))
            }
            members.append(JSONMember(name: "variables", value: .object(variables)))
            let result = try socket.follow(.post, "/v1/imports", .object(members), output)
            if output.isJSON { return Output.write([result.line]) }
            Output.write([
                "\(result["folder"].shown) is there; next: yard site add \(result["domain"].shown)",
                "digest \(result["digest"].shown)",
            ])
        }
    }
}
