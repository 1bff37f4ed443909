import Support
import Testing

extension EndToEnd {
    /// Short versions of the scripts in Benchmarks/, which judge their run themselves.
    @Suite struct Storms {
        /// Runs one; its exit status says whether all was well.
        private func judge(_ script: String, _ options: [String], seconds: Double) throws {
            // A machine with the Swift toolchain has its C compiler, and perhaps no other.
            let compiler = ProgramPath.find("cc") == nil ? ["CC": "clang"] : [:]
            let result = try run(
                "python3",
                [Repository.path("Benchmarks/\(script)"), "--edge", Edge.binary] + inputOutput
                    + options,
                seconds: seconds, environment: compiler)
            #expect(result.succeeded, "\(result.everything)")
            print("\(script) on \(Edge.inputOutput): \(result.output)")
        }

        private var inputOutput: [String] { Edge.inputOutput == "auto" ? [] : ["--io", Edge.inputOutput] }

        @Test func reloadsUnderFullLoadLoseAndMisrouteNobody() throws {
            try judge("reload-storm.py", ["--reloads", "100", "--seconds", "6"], seconds: 90)
        }

        @Test func silentAndUnfinishedClientsLeaveNothingBehind() throws {
            try judge(
                "black-hole.py",
                ["--silent", "1500", "--unfinished", "1500", "--stalled", "100", "--timeout", "1"],
                seconds: 120)
        }

        @Test func aHundredThousandConnectionsAreSharedByWeightWithinOnePerCent() throws {
            try judge("targets.py", ["--only", "weights"], seconds: 120)
        }

        @Test func noClientLosesByTheDeathOfATargetAndItsRecoveryIsSeenWithinTheInterval() throws {
            try judge(
                "targets.py",
                ["--only", "killed", "--only", "blackhole", "--seconds", "0.5"], seconds: 60)
        }

        @Test func clientsKeepTheirTargetsWhenAnotherOneGoes() throws {
            try judge(
                "targets.py", ["--only", "source", "--addresses", "400"], seconds: 60)
        }
    }
}
