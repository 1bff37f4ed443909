import DataPlane

/// Writes families of metrics: help, type, then samples.
struct MetricsWriter {
    private(set) var bytes: [UInt8] = []
    private var name = ""

    mutating func gauge(_ name: String, _ help: String, _ samples: (inout MetricsWriter) -> Void) {
        family(name, help, "gauge", samples)
    }

    mutating func counter(_ name: String, _ help: String, _ samples: (inout MetricsWriter) -> Void) {
        family(name, help, "counter", samples)
    }

    private mutating func family(
        _ name: String, _ help: String, _ type: String, _ samples: (inout MetricsWriter) -> Void
    ) {
        self.name = name
        bytes += Array("# HELP \(name) \(help)\n# TYPE \(name) \(type)\n".utf8)
        samples(&self)
    }

    mutating func sample(_ value: UInt64) { write("", [], "\(value)") }

    mutating func sample(_ labels: [(String, String)], _ value: UInt64) {
        write("", labels, "\(value)")
    }

    mutating func sample(_ labels: [(String, String)] = [], seconds nanoseconds: UInt64) {
        write("", labels, decimalSeconds(nanoseconds: nanoseconds))
    }

    /// Buckets are cumulative there; values measured in microseconds are told in seconds.
    mutating func histogram(_ name: String, _ help: String, _ histogram: Histogram, _ facts: EdgeFacts) {
        let counts = facts.sum(histogram)
        func value(_ number: UInt64) -> String {
            switch histogram {
            case .helloBytes: "\(number)"
            case .routeMicroseconds, .connectMicroseconds: decimalSeconds(nanoseconds: number &* 1000)
            }
        }
        family(name, help, "histogram") { writer in
            var total: UInt64 = 0
            for (index, count) in counts.buckets.enumerated() {
                total &+= count
                let bound = index < Histogram.boundCount ? value(histogram.bound(index)) : "+Inf"
                writer.write("_bucket", [("le", bound)], "\(total)")
            }
            writer.write("_sum", [], value(counts.sum))
            writer.write("_count", [], "\(total)")
        }
    }

    private mutating func write(_ suffix: String, _ labels: [(String, String)], _ value: String) {
        bytes += Array((name + suffix).utf8)
        if !labels.isEmpty {
            bytes.append(UInt8(ascii: "{"))
            for (index, label) in labels.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes += Array("\(label.0)=\"".utf8)
                append(escaping: label.1)
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes += Array(" \(value)\n".utf8)
    }

    private mutating func append(escaping text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += Array("\\\\".utf8)
            case UInt8(ascii: "\""): bytes += Array("\\\"".utf8)
            case UInt8(ascii: "\n"): bytes += Array("\\n".utf8)
            default: bytes.append(byte)
            }
        }
    }
}
