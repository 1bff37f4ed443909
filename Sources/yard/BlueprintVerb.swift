import ArgumentParser
import Linux
import YardKit

struct BlueprintVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "blueprint",
        abstract: "Prints a runme for an image, from what the image declares of itself.",
        discussion: """
            VOLUME, EXPOSE, HEALTHCHECK and USER make volumes, ports, the time that a start may take, and a \
            comment. With --audit the image is run for a while, without a network, and each path that it \
            writes outside of its volumes is named on standard error: that is lost when its container is \
            made anew.

                yard blueprint wordpress:6 --domain example.org > runme
            """)
    @Argument(help: "The image's name or digest; the engine has it already.") var image: String
    @Option(help: "The site's domain.") var domain = "example.org"
    @Option(name: .customLong("tls"), help: "The port on which it speaks TLS, if the image does not say so.")
    var tlsPort: UInt16?
    @Flag(help: "Run it, and name what it writes outside of its volumes.") var audit = false
    @Option(help: "For how long the audit runs it.") var seconds = 10
    @OptionGroup var socket: YardmasterOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...600).contains(seconds) else { throw ValidationError("--seconds is 1 to 600") }
        guard tlsPort != 0 else { throw ValidationError("--tls is 1 to 65535") }
    }

    func run() throws {
        var content = [
            JSONMember(name: "image", value: .string(image)),
            JSONMember(name: "domain", value: .string(domain)),
        ]
        if let tlsPort { content.append(JSONMember(name: "tls_port", value: .integer(Int(tlsPort)))) }
        if audit { content.append(JSONMember(name: "audit_seconds", value: .integer(seconds))) }
        let result = try socket.follow(.post, "/v1/blueprints", .object(content), output)
        if output.isJSON { return Output.write([result.line]) }
        Output.write([(result["runme"].text ?? "").trimmedLineEnd])
        for warning in result["warnings"].elements {
            Output.writeError("warning: \(Human.cleanLines(warning.text ?? ""))")
        }
        guard audit else { return }
        let findings = result["written"].elements
        for finding in findings { Output.writeError(SitesText.finding(finding)) }
        if findings.isEmpty { Output.writeError("it wrote nothing outside of its volumes") }
    }
}
