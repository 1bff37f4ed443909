import DataPlane
import Linux
import Routes

/// Answers that are made from what the control thread knows.
enum Answers {
    static func status(_ facts: EdgeFacts) -> [UInt8] {
        let now = monotonicNanoseconds()
        let loaded = facts.current
        return JSONWriter.line { writer in
            writer.pair("ok", true)
            writer.pair("version", Version.text)
            writer.pair("pid", processIdentifier())
            writer.pair("now_seconds", nanoseconds: now)
            writer.pair("uptime_seconds", nanoseconds: now - facts.startNanoseconds)
            writer.pair("state", facts.isDraining ? "draining" : "running")
            writer.pair("io", facts.inputOutput.rawValue)
            writer.pair("workers", facts.limits.workers)
            writer.pair("connections_max", facts.limits.sessionsPerWorker * facts.limits.workers)
            writer.key("descriptors")
            writer.object { writer in
                writer.pair("open", ProcessFacts.openDescriptors)
                writer.pair("max", facts.limits.descriptorsMax)
            }
            writer.pair("configuration", facts.path)
            writer.key("listeners")
            writer.array { writer in
                for listener in loaded.configuration.listeners { write(listener, &writer) }
            }
            writer.pair("routes", loaded.routeCount)
            writer.pair("names", loaded.nameCount)
            writer.pair("table_bytes", loaded.table.byteCount)
            writer.pair("table_age_seconds", nanoseconds: now - facts.tableNanoseconds)
            writer.key("reloads")
            writer.object { writer in
                writer.pair("succeeded", facts.reloads)
                writer.pair("failed", facts.failedReloads)
                writer.pair("last", facts.lastReload)
                writer.pair("last_error", facts.lastError)
            }
            writer.pair("sessions", facts.sum(.sessions))
            writer.pair("parked", facts.sum(.parkedNow))
            writer.pair("memory_bytes", ProcessFacts.memory.resident)
        }
    }

    private static func write(_ listener: Listener, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.pair("kind", listener.kind.rawValue)
            writer.pair("address", listener.endpoint.description)
            writer.pair("accept_proxy", !listener.acceptProxyFrom.isEmpty)
        }
    }

    static func stats(_ facts: EdgeFacts) -> [UInt8] {
        JSONWriter.line { writer in
            writer.pair("ok", true)
            writer.pair("now_seconds", nanoseconds: monotonicNanoseconds())
            writer.key("counters")
            writer.counters(facts)
            writer.key("endings")
            writer.object { writer in
                for ending in Ending.allCases where ending != .none {
                    writer.pair(ending.word.description, facts.sum(ending))
                }
            }
            writer.key("histograms")
            writer.object { writer in
                writer.histogram("hello_bytes", .helloBytes, facts)
                writer.histogram("route_seconds", .routeMicroseconds, facts)
                writer.histogram("connect_seconds", .connectMicroseconds, facts)
            }
            writer.key("workers")
            writer.array { writer in
                for worker in facts.workers {
                    writer.object { writer in
                        writer.pair("cpu_seconds", nanoseconds: worker.cpuNanoseconds)
                        writer.pair("turns", worker.links.counters[.turns])
                        writer.pair("sessions", worker.links.counters[.sessions])
                        writer.pair("parked", worker.links.counters[.parkedNow])
                    }
                }
            }
        }
    }

    /// The busiest names and targets, and all others in one.
    static func top(
        _ facts: EdgeFacts, _ tallies: MergedTallies, _ states: TargetStates, limit: Int
    ) -> [UInt8] {
        let (names, other) = tallies.busiest(limit)
        return JSONWriter.line { writer in
            writer.pair("ok", true)
            writer.pair("now_seconds", nanoseconds: monotonicNanoseconds())
            writer.key("names")
            writer.array { writer in
                for (name, counts) in names {
                    writer.object { writer in
                        writer.pair("name", name)
                        writer.counts(counts)
                    }
                }
            }
            writer.key("other")
            writer.object { writer in writer.counts(other) }
            writer.key("targets")
            writer.array { writer in
                let busiest = states.states.sorted {
                    ($0.value.sessions, $0.value.connections, $1.key) > (
                        $1.value.sessions, $1.value.connections, $0.key
                    )
                }
                for (address, state) in busiest.prefix(limit) {
                    writer.object { writer in
                        writer.pair("address", address)
                        writer.pair("sessions", state.sessions)
                        writer.pair("connections", state.connections)
                        writer.pair("failures", state.failures)
                    }
                }
            }
            writer.key("counters")
            writer.counters(facts)
        }
    }
}

/// What all workers have counted by name.
struct MergedTallies {
    private var names: [String: TallyCounts] = [:]
    private var other = TallyCounts()

    init(_ answers: [WorkerReport.Answer]) {
        for case .tallies(let reports, _) in answers {
            for report in reports {
                guard let key = report.key else {
                    other.add(report.counts)
                    continue
                }
                names[String(decoding: key, as: UTF8.self), default: TallyCounts()].add(report.counts)
            }
        }
    }

    /// The names with the most sessions, then connections; and the rest in one.
    func busiest(_ limit: Int) -> (names: [(name: String, counts: TallyCounts)], other: TallyCounts) {
        let sorted = names.sorted {
            ($0.value.sessions, $0.value.connections, $1.key) > (
                $1.value.sessions, $1.value.connections, $0.key
            )
        }
        var rest = other
        for (_, counts) in sorted.dropFirst(limit) { rest.add(counts) }
        return (sorted.prefix(limit).map { ($0.key, $0.value) }, rest)
    }
}

extension JSONWriter {
    fileprivate mutating func counters(_ facts: EdgeFacts) {
        object { writer in
            for counter in Counter.allCases { writer.pair(counter.word, facts.sum(counter)) }
        }
    }

    fileprivate mutating func counts(_ counts: TallyCounts) {
        pair("sessions", counts.sessions)
        pair("connections", counts.connections)
        pair("bytes_up", counts.bytes[0])
        pair("bytes_down", counts.bytes[1])
        pair("errors", counts.errors)
    }

    fileprivate mutating func histogram(_ name: String, _ histogram: Histogram, _ facts: EdgeFacts) {
        let counts = facts.sum(histogram)
        key(name)
        object { writer in
            writer.key("le")
            writer.array { writer in
                for index in 0..<Histogram.boundCount { writer.measure(histogram, histogram.bound(index)) }
            }
            writer.key("counts")
            writer.array { writer in for count in counts.buckets { writer.number(count) } }
            writer.key("sum")
            writer.measure(histogram, counts.sum)
            writer.pair("count", counts.count)
        }
    }

    private mutating func measure(_ histogram: Histogram, _ value: UInt64) {
        switch histogram {
        case .helloBytes: number(value)
        case .routeMicroseconds, .connectMicroseconds: seconds(nanoseconds: value &* 1000)
        }
    }
}
