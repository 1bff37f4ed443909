/// What the edge said at one moment: the answers to `top` and `status`.
package struct TopSample: Sendable {
    /// A name or a target, and what was counted for it.
    struct Entry: Sendable {
        let label: String
        let sessions: Int
        let connections: Int
        let bytesUp: Int
        let bytesDown: Int
        let errors: Int

        init(_ value: JSONValue, label: String, errors: String) {
            self.label = value[label].text ?? "–"
            sessions = value["sessions"].integer ?? 0
            connections = value["connections"].integer ?? 0
            bytesUp = value["bytes_up"].integer ?? 0
            bytesDown = value["bytes_down"].integer ?? 0
            self.errors = value[errors].integer ?? 0
        }
    }

    /// Seconds of the edge's monotonic clock.
    let seconds: Double
    let status: JSONValue
    let names: [Entry]
    let targets: [Entry]
    /// Names that are not among the busiest, summed.
    let other: Entry?
    private let totals: JSONValue

    package init(top: JSONValue, status: JSONValue) {
        self.status = status
        seconds = top["now_seconds"].double ?? 0
        names = top["names"].elements.map { Entry($0, label: "name", errors: "errors") }
        targets = top["targets"].elements.map { Entry($0, label: "address", errors: "failures") }
        other = top["other"].isNull ? nil : Entry(top["other"], label: "name", errors: "errors")
        totals = top["totals"].isNull ? top["counters"] : top["totals"]
    }

    /// A counter over all workers, by any of the names that it may have.
    func total(_ names: String...) -> Int {
        names.lazy.compactMap { totals[$0].integer }.first ?? 0
    }

    /// Sessions that ended other than well.
    var errors: Int {
        [
            "rejected", "unreachable", "source_limited", "hello_timeout", "hello_no_name", "hello_plain_http",
            "hello_sslv2", "hello_ssl_v2", "hello_not_tls", "hello_malformed", "hello_too_large",
            "route_limited",
            "denied",
        ].reduce(0) { $0 + (totals[$1].integer ?? 0) }
    }
}
