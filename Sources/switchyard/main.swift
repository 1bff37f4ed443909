import Edge
import Linux

/// The edge's command line: `switchyard --config FILE [--check]`.
let usage = """
    Usage: switchyard --config FILE [--check]
           switchyard --version | --help

    Routes TLS connections to their backends by the name in the ClientHello, without
    terminating TLS.

      -c, --config FILE   the configuration (default /etc/switchyard/switchyard.conf)
          --check         read the configuration and its routes, print what is wrong
                          with them, and exit: 0 when they can be used, 1 when not
          --version       print the version and exit
      -h, --help          print this text and exit

    Signals: SIGHUP reloads configuration and routes; no connection is touched.
             SIGTERM stops accepting, lets sessions end (timeout drain), and exits.
             SIGINT ends at once. SIGUSR1 opens the log anew.
             SIGUSR2 starts the program's file anew, which takes over listeners and
             sessions; nobody is cut off.

    """

/// Writes to a descriptor and ends the process.
func finish(_ status: Int32, _ text: String, to descriptor: Int32) -> Never {
    try? writeAll(descriptor, Array(text.utf8))
    exitProcess(status)
}

var configurationPath = "/etc/switchyard/switchyard.conf"
var onlyChecks = false
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    switch argument {
    case "-c", "--config":
        guard let value = arguments.popFirst() else {
            finish(2, "switchyard: \(argument) needs a file\n", to: 2)
        }
        configurationPath = value
    case "--check": onlyChecks = true
    case "--version": finish(0, "switchyard \(Version.text)\n", to: 1)
    case "-h", "--help": finish(0, usage, to: 1)
    default: finish(2, "switchyard: unknown argument '\(argument)'\n\n\(usage)", to: 2)
    }
}

do {
    if onlyChecks {
        let summary = try Edge.check(configurationPath)
        finish(0, summary, to: 1)
    }
    exitProcess(try Edge.serve(configurationPath))
} catch {
    finish(1, "\(error.text)\n", to: 2)
}
