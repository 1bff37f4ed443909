/// A request for the metrics: as much of HTTP/1.1 as a scraper needs, and no more.
package enum MetricsRequest: Equatable {
    case metrics(hasBody: Bool)
    case health(hasBody: Bool)
    /// With this status.
    case refused(String)

    /// Longer heads are refused.
    package static let headBytesMax = 8192

    /// The head of a request once it is whole, or wrong in a way that more bytes cannot mend.
    package static func takeHead(_ input: inout [UInt8], hasEnded: Bool) -> [UInt8]? {
        var lineStart = 0
        for index in input.indices.prefix(headBytesMax) where input[index] == UInt8(ascii: "\n") {
            let line = input[lineStart..<index]
            if lineStart > 0, line.isEmpty || line.elementsEqual([UInt8(ascii: "\r")]) {
                defer { input.removeAll() }
                return Array(input[...index])
            }
            lineStart = index + 1
        }
        guard input.count > headBytesMax || (hasEnded && !input.isEmpty) else { return nil }
        input.removeAll()
        return []
    }

    /// Reads a head.
    package init(_ head: [UInt8]) {
        let line = head.prefix { $0 != UInt8(ascii: "\n") }
        let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        let words = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3,
            words[2].elementsEqual("HTTP/1.1".utf8) || words[2].elementsEqual("HTTP/1.0".utf8),
            !words[0].isEmpty, words[1].first == UInt8(ascii: "/")
        else {
            self = .refused("400 Bad Request")
            return
        }
        let isHead = words[0].elementsEqual("HEAD".utf8)
        guard isHead || words[0].elementsEqual("GET".utf8) else {
            self = .refused("405 Method Not Allowed")
            return
        }
        // A scraper may be told to add parameters; they mean nothing here.
        let path = words[1].prefix { $0 != UInt8(ascii: "?") }
        if path.elementsEqual("/metrics".utf8) {
            self = .metrics(hasBody: !isHead)
        } else if path.elementsEqual("/healthz".utf8) {
            self = .health(hasBody: !isHead)
        } else {
            self = .refused("404 Not Found")
        }
    }

    /// A whole answer, after which the connection ends.
    static func answer(_ status: String, _ body: [UInt8], hasBody: Bool) -> [UInt8] {
        let isMetrics = status.hasPrefix("200") && body.first == UInt8(ascii: "#")
        let head =
            "HTTP/1.1 \(status)\r\nContent-Type: text/plain\(isMetrics ? "; version=0.0.4" : "")"
            + "; charset=utf-8\r\n"
            + "Content-Length: \(body.count)\r\n"
            + (status.hasPrefix("405") ? "Allow: GET, HEAD\r\n" : "") + "Connection: close\r\n\r\n"
        return Array(head.utf8) + (hasBody ? body : [])
    }
}
