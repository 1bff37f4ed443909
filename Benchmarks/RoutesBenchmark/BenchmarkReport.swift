/// The measured figures of one table size.
struct BenchmarkResult {
    var routeCount: Int
    var textBytesPerRoute: Double
    var loadSeconds: Double
    var imageBytesPerRoute: Double
    var residentBytesPerRoute: Double
    var peakBytesPerRoute: Double
    var hitNanoseconds: Double
    var wildcardNanoseconds: Double
    var missNanoseconds: Double
    var diffEqualSeconds: Double
    var diffChangedSeconds: Double

    /// Names and values, in the order of printing.
    var figures: [(name: String, value: Double)] {
        [
            ("textBytesPerRoute", textBytesPerRoute), ("loadSeconds", loadSeconds),
            ("imageBytesPerRoute", imageBytesPerRoute), ("residentBytesPerRoute", residentBytesPerRoute),
            ("peakBytesPerRoute", peakBytesPerRoute), ("hitNanoseconds", hitNanoseconds),
            ("wildcardNanoseconds", wildcardNanoseconds), ("missNanoseconds", missNanoseconds),
            ("diffEqualSeconds", diffEqualSeconds), ("diffChangedSeconds", diffChangedSeconds),
        ]
    }
}

/// Prints results for people or for programs.
struct BenchmarkReport {
    private var results: [BenchmarkResult] = []

    mutating func add(_ result: BenchmarkResult) { results.append(result) }

    /// Prints the result that was added last.
    func printLatest() {
        guard let result = results.last else { return }
        print("\(result.routeCount) routes")
        for (name, value) in result.figures {
            print("  " + name + String(repeating: " ", count: max(1, 24 - name.count)) + Self.rounded(value))
        }
    }

    /// Prints all results as one JSON object.
    func printJSON() {
        let rows = results.map { result in
            let figures = result.figures.map { "\"\($0.name)\": \(Self.rounded($0.value))" }
            return "{\"routeCount\": \(result.routeCount), " + figures.joined(separator: ", ") + "}"
        }
        print("{\"benchmark\": \"routes\", \"tables\": [" + rows.joined(separator: ", ") + "]}")
    }

    /// Four digits behind the point below 10, one above.
    private static func rounded(_ value: Double) -> String {
        let scale = value < 10 ? 10_000.0 : 10.0
        return "\((value * scale).rounded() / scale)"
    }
}
