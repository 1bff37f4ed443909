import DataPlane
import Linux
import Routes

/// The metrics in Prometheus's text format 0.0.4. `docs/metrics.md` lists them; a test keeps it true.
enum MetricsText {
    /// Names and targets with series of their own; all others are summed as `other`.
    static let seriesMax = 50

    static func text(_ facts: EdgeFacts, _ tallies: MergedTallies, _ states: TargetStates) -> [UInt8] {
        var writer = MetricsWriter()
        addProcess(facts, &writer)
        addSessions(facts, &writer)
        addHellos(facts, &writer)
        addNames(tallies, &writer)
        addTargets(states, &writer)
        addTable(facts, &writer)
        addWorkers(facts, &writer)
        return writer.bytes
    }

    private static func addProcess(_ facts: EdgeFacts, _ writer: inout MetricsWriter) {
        let memory = ProcessFacts.memory
        writer.gauge("switchyard_build_info", "Version and interface to the kernel; always 1.") {
            $0.sample([("version", Version.text), ("io", facts.inputOutput.rawValue)], 1)
        }
        writer.counter("process_cpu_seconds_total", "CPU time of the whole process.") {
            $0.sample(seconds: ProcessFacts.cpuNanoseconds)
        }
        writer.gauge("process_resident_memory_bytes", "Memory of the process.") { $0.sample(memory.resident) }
        writer.gauge("process_virtual_memory_bytes", "Address space of the process.") {
            $0.sample(memory.virtual)
        }
        writer.gauge("process_start_time_seconds", "Start of the process since 1970.") {
            $0.sample(seconds: facts.startRealtimeNanoseconds)
        }
        writer.gauge("process_open_fds", "Descriptors that are open.") {
            $0.sample(UInt64(ProcessFacts.openDescriptors))
        }
        writer.gauge("process_max_fds", "Descriptors that may be open.") {
            $0.sample(UInt64(facts.limits.descriptorsMax))
        }
    }

    private static func addSessions(_ facts: EdgeFacts, _ writer: inout MetricsWriter) {
        writer.gauge("switchyard_sessions", "Sessions now.") { $0.sample(facts.sum(.sessions)) }
        writer.gauge("switchyard_sessions_max", "Sessions that there can be.") {
            $0.sample(UInt64(facts.limits.sessionsPerWorker * facts.limits.workers))
        }
        writer.gauge("switchyard_parked_sessions", "Sessions that wait for a route now.") {
            $0.sample(facts.sum(.parkedNow))
        }
        writer.counter("switchyard_parked_total", "Sessions that had to wait for a route.") {
            $0.sample(facts.sum(.parked))
        }
        writer.counter("switchyard_accepted_total", "Connections taken from listeners.") {
            $0.sample(facts.sum(.accepted))
        }
        writer.counter(
            "switchyard_source_limited_total", "Connections closed because their address has too many."
        ) {
            $0.sample(facts.sum(.sourceLimited))
        }
        writer.counter(
            "switchyard_accept_paused_total", "Times that accepting stopped because all slots were taken."
        ) {
            $0.sample(facts.sum(.acceptPaused))
        }
        writer.counter(
            "switchyard_descriptors_exhausted_total", "Times that the system had no descriptor for a socket."
        ) { $0.sample(facts.sum(.descriptorsExhausted)) }
        writer.counter(
            "switchyard_sessions_ended_total", "Sessions that ended, by the word in the access log."
        ) {
            for ending in Ending.allCases where ending != .none {
                $0.sample([("end", ending.word.description)], facts.sum(ending))
            }
        }
        writer.counter(
            "switchyard_relayed_bytes_total", "Bytes passed on: up from clients, down from targets."
        ) {
            $0.sample([("direction", "up")], facts.sum(.bytesUp))
            $0.sample([("direction", "down")], facts.sum(.bytesDown))
        }
    }

    private static func addHellos(_ facts: EdgeFacts, _ writer: inout MetricsWriter) {
        writer.counter("switchyard_hellos_total", "Hellos by what they were.") {
            let outcomes: [(String, Counter)] = [
                ("name", .helloName), ("no-name", .helloNoName), ("plain-http", .helloPlainHTTP),
                ("sslv2", .helloSSLv2), ("not-tls", .helloNotTLS), ("malformed", .helloMalformed),
                ("too-large", .helloTooLarge), ("timeout", .helloTimeout),
            ]
            for (word, counter) in outcomes { $0.sample([("outcome", word)], facts.sum(counter)) }
        }
        writer.counter(
            "switchyard_ech_hellos_total", "Hellos that offer Encrypted Client Hello, or pretend to."
        ) {
            $0.sample(facts.sum(.helloECH))
        }
        writer.histogram("switchyard_hello_bytes", "Bytes of whole hellos.", .helloBytes, facts)
        writer.histogram(
            "switchyard_route_seconds", "From accept until a session was routed, waiting included.",
            .routeMicroseconds, facts)
        writer.histogram(
            "switchyard_connect_seconds", "From there until its target was connected.", .connectMicroseconds,
            facts)
    }

    private static func addNames(_ tallies: MergedTallies, _ writer: inout MetricsWriter) {
        let (busiest, other) = tallies.busiest(seriesMax)
        // In the order of their text, so that two answers can be compared. No name is empty, as that of all
        // others is; `-` are sessions that no route knew.
        let names = busiest.sorted { $0.name < $1.name }
        func samples(
            _ writer: inout MetricsWriter, _ value: (TallyCounts) -> UInt64, _ more: [(String, String)] = []
        ) {
            for (name, counts) in names { writer.sample([("name", name)] + more, value(counts)) }
            writer.sample([("name", "")] + more, value(other))
        }
        writer.gauge(
            "switchyard_name_sessions", "Sessions now by the route's name; all others have an empty one."
        ) {
            samples(&$0) { $0.sessions }
        }
        writer.counter("switchyard_name_connections_total", "Connections by the route's name.") {
            samples(&$0) { $0.connections }
        }
        writer.counter(
            "switchyard_name_errors_total", "Sessions that failed on our side or the target's, by name."
        ) {
            samples(&$0) { $0.errors }
        }
        writer.counter("switchyard_name_relayed_bytes_total", "Bytes passed on, by the route's name.") {
            samples(&$0, { $0.bytes[0] }, [("direction", "up")])
            samples(&$0, { $0.bytes[1] }, [("direction", "down")])
        }
    }

    private static func addTargets(_ states: TargetStates, _ writer: inout MetricsWriter) {
        let sorted = states.states.sorted {
            ($0.value.connections &+ $0.value.failures, $1.key) > (
                $1.value.connections &+ $1.value.failures, $0.key
            )
        }
        let busiest = sorted.prefix(seriesMax).sorted { $0.key < $1.key }
        func samples(_ writer: inout MetricsWriter, _ value: (TargetStates.State) -> UInt64) {
            for (address, state) in busiest { writer.sample([("target", address)], value(state)) }
            let rest = sorted.dropFirst(seriesMax).reduce(states.other(value)) { $0 &+ value($1.value) }
            writer.sample([("target", "")], rest)
        }
        writer.gauge("switchyard_target_sessions", "Sessions now by target; all others have an empty one.") {
            samples(&$0) { $0.sessions }
        }
        writer.counter("switchyard_target_connections_total", "Connections made, by target.") {
            samples(&$0) { $0.connections }
        }
        writer.counter("switchyard_target_failures_total", "Connections that failed, by target.") {
            samples(&$0) { $0.failures }
        }
        let known = states.passedOver
        writer.gauge(
            "switchyard_target_up", "0: its check has failed, or it is drained by hand; 1 otherwise."
        ) {
            // Whoever is passed over may have no sessions, and must not be missing for that.
            let down = known.sorted().prefix(seriesMax)
            let more = Set(states.checks.keys).union(busiest.map(\.key)).subtracting(known).sorted()
            let shown = down.map { ($0, UInt64(0)) } + more.prefix(seriesMax - down.count).map { ($0, 1) }
            for (address, isUp) in shown.sorted(by: { $0.0 < $1.0 }) {
                $0.sample([("target", address)], isUp)
            }
        }
        writer.gauge("switchyard_targets_passed_over", "Targets whose check has failed, or drained by hand.")
        {
            $0.sample(UInt64(known.count))
        }
        writer.gauge("switchyard_target_resting", "Whether a target is passed over after failures.") {
            for (address, state) in busiest {
                $0.sample([("target", address)], state.restNanoseconds > 0 ? 1 : 0)
            }
        }
    }

    private static func addTable(_ facts: EdgeFacts, _ writer: inout MetricsWriter) {
        writer.gauge("switchyard_routes", "Routes of the table.") {
            $0.sample(UInt64(facts.current.routeCount))
        }
        writer.gauge("switchyard_names", "Names of the table.") { $0.sample(UInt64(facts.current.nameCount)) }
        writer.gauge("switchyard_table_bytes", "Memory of the table.") {
            $0.sample(UInt64(facts.current.table.byteCount))
        }
        writer.gauge("switchyard_table_age_seconds", "Since the table was taken into use.") {
            $0.sample(seconds: monotonicNanoseconds() - facts.tableNanoseconds)
        }
        writer.counter("switchyard_reloads_total", "Reloads by result.") {
            $0.sample([("result", "succeeded")], UInt64(facts.reloads))
            $0.sample([("result", "failed")], UInt64(facts.failedReloads))
        }
        writer.gauge(
            "switchyard_last_reload_succeeded", "0: the last reload was refused, an older table serves."
        ) {
            $0.sample(facts.lastReload == "failed" ? 0 : 1)
        }
    }

    private static func addWorkers(_ facts: EdgeFacts, _ writer: inout MetricsWriter) {
        func samples(_ writer: inout MetricsWriter, _ value: (WorkerHandle) -> UInt64) {
            for (number, worker) in facts.workers.enumerated() {
                writer.sample([("worker", "\(number)")], value(worker))
            }
        }
        writer.counter("switchyard_worker_cpu_seconds_total", "Time that a worker's loop was busy.") {
            for (number, worker) in facts.workers.enumerated() {
                $0.sample([("worker", "\(number)")], seconds: worker.cpuNanoseconds)
            }
        }
        writer.counter("switchyard_worker_turns_total", "Turns of a worker's loop.") {
            samples(&$0) { $0.links.counters[.turns] }
        }
        writer.gauge("switchyard_worker_sessions", "Sessions of a worker now.") {
            samples(&$0) { $0.links.counters[.sessions] }
        }
        writer.counter(
            "switchyard_stale_completions_total", "Answers of the kernel for sessions that had ended."
        ) {
            $0.sample(facts.sum(.staleCompletion))
        }
        writer.counter(
            "switchyard_log_dropped_total", "Lines lost because the log was not read or could not be written."
        ) {
            $0.sample(facts.sum(.logDropped))
        }
    }
}
