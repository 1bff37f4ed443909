import ArgumentParser
import YardKit

struct DoctorVerb: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Looks for what on this machine will hurt the edge, and says what to type.",
        discussion: """
            It changes nothing, and works without a running edge and without root; what it could not see \
            then, it says. Exit status 1 when there is a problem, 0 with warnings alone.
            """)

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        var status = JSONValue.null
        var reason: String?
        do throws(YardError) {
            var client = try ControlClient(path: socket.path)
            status = try client.ask(Request.plain("status"))
        } catch {
            reason = error.text
        }
        let findings = Doctor.findings(Machine.read(status: status, statusError: reason))
        Output.write(
            output.isJSON ? [Doctor.json(findings).line] : Doctor.lines(findings, style: Output.style))
        if findings.contains(where: { $0.verdict == .problem }) {
            throw ExitCode(ExitStatus.refused.rawValue)
        }
    }
}
