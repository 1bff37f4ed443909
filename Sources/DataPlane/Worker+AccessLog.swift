package import Linux
package import Routes
package import Wire

extension Worker where Backend: ~Copyable {
    /// One line for a session, at its end. Whoever reads the log too slowly loses lines, which are counted.
    @inline(never)
    mutating func logAccess(_ slot: Int) {
        let session = sessions[slot]
        line.clear()
        line.append(timestampNanoseconds: backend.nowNanoseconds &+ realtimeOffsetNanoseconds)
        line.append(" access client=")
        line.append(session.source)
        line.append(" listener=")
        if Int(session.listener) < listeners.count { line.append(listeners[Int(session.listener)].address) }
        line.append(" name=")
        appendName(session.label)
        line.append(" alpn=")
        line.append(session.applicationProtocols)
        line.append(" route=")
        appendRoute(session)
        line.append(" target=")
        if session.target >= 0 {
            line.append(targets[Int(session.target)].address)
        } else {
            line.append("-")
        }
        line.append(" up=")
        line.append(session.directions[0].byteCount)
        line.append(" down=")
        line.append(session.directions[1].byteCount)
        appendTimes(session)
        line.append(" end=")
        line.append(session.ending.word)
        line.append("\n")
        if links.log.append(line.bytes) { hasLoggedThisTurn = true } else { count.add(.logDropped) }
    }

    private mutating func appendTimes(_ session: Session) {
        // Each time is cut at the next one that is known, so that the parts add up to what was reached.
        let hello = session.helloMicroseconds
        let routed = max(session.routedMicroseconds, hello)
        let connected = max(session.connectedMicroseconds, routed)
        line.append(" hello=")
        line.append(microseconds: UInt64(hello))
        line.append(" park=")
        line.append(microseconds: UInt64(routed - hello))
        line.append(" connect=")
        line.append(microseconds: UInt64(connected - routed))
        line.append(" total=")
        line.append(microseconds: (backend.nowNanoseconds &- session.acceptedNanoseconds) / 1000)
    }

    private mutating func appendName(_ label: LabelIndex) {
        if label == .none { line.append("-") } else { labels.append(label, to: &line) }
    }

    /// The pattern that the name was matched by.
    private mutating func appendRoute(_ session: Session) {
        switch session.match {
        case .none: line.append("-")
        case .exact: appendName(session.label)
        case .wildcard:
            line.append("*")
            labels.append(session.label, fromFirstDot: true, to: &line)
        case .defaultRoute: line.append("*")
        }
    }
}

extension LabelPool {
    /// Appends a name, whole or from its first dot on.
    func append(_ label: LabelIndex, fromFirstDot: Bool = false, to line: inout LineBuilder) {
        let name = bytes(label)
        var start = 0
        while fromFirstDot, start < name.byteCount, name.byte(at: start) != UInt8(ascii: ".") { start += 1 }
        line.append(escaping: name.extracting(start..<name.byteCount))
    }
}

extension LineBuilder {
    /// `2026-01-31T12:34:56.789012Z`, from nanoseconds since 1970.
    package mutating func append(timestampNanoseconds: UInt64) {
        let seconds = timestampNanoseconds / 1_000_000_000
        let (year, month, day) = Self.date(daysSince1970: seconds / 86_400)
        append(year, digits: 4)
        append("-")
        append(month, digits: 2)
        append("-")
        append(day, digits: 2)
        append("T")
        append(seconds % 86_400 / 3600, digits: 2)
        append(":")
        append(seconds % 3600 / 60, digits: 2)
        append(":")
        append(seconds % 60, digits: 2)
        append(".")
        append(timestampNanoseconds % 1_000_000_000 / 1000, digits: 6)
        append("Z")
    }

    /// The date in the Gregorian calendar, by eras of 400 years that begin on the first of March.
    package static func date(daysSince1970: UInt64) -> (year: UInt64, month: UInt64, day: UInt64) {
        let days = daysSince1970 + 719_468
        let era = days / 146_097
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// The protocols of an ALPN offer, joined by commas; `-` for none.
    package mutating func append(_ protocols: ApplicationProtocols) {
        guard !protocols.isEmpty else {
            append("-")
            return
        }
        var isFirst = true
        appendProtocol("h2", protocols.contains(.http2), &isFirst)
        appendProtocol("http/1.1", protocols.contains(.http11), &isFirst)
        appendProtocol("http/1.0", protocols.contains(.http10), &isFirst)
        appendProtocol("h3", protocols.contains(.http3), &isFirst)
        appendProtocol("acme-tls/1", protocols.contains(.acmeTLS1), &isFirst)
        appendProtocol("other", protocols.contains(.other), &isFirst)
    }

    private mutating func appendProtocol(_ name: StaticString, _ isOffered: Bool, _ isFirst: inout Bool) {
        guard isOffered else { return }
        if !isFirst { append(",") }
        isFirst = false
        append(name)
    }

    /// Bytes from the wire: printable ASCII as it is, all else as \xNN, so that no name can forge a line.
    package mutating func append(escaping bytes: RawSpan) {
        for offset in 0..<bytes.byteCount {
            let byte = bytes.byte(at: offset)
            if byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "\\"), byte != UInt8(ascii: "\"") {
                append(byte: byte)
            } else {
                append("\\x")
                append(hexadecimalDigit: byte >> 4)
                append(hexadecimalDigit: byte & 15)
            }
        }
    }

    /// `192.0.2.1` or `2001:db8::1`.
    package mutating func append(_ address: IPAddress) {
        switch address {
        case .v4(let bits):
            for shift in stride(from: 24, through: 0, by: -8) {
                append(UInt64(bits >> UInt32(shift) & 255))
                if shift > 0 { append(".") }
            }
        case .v6(let high, let low): append(ipv6High: high, low: low)
        }
    }

    /// `192.0.2.1:443` or `[2001:db8::1]:443`.
    package mutating func append(_ endpoint: IPEndpoint) {
        switch endpoint.address {
        case .v4: append(endpoint.address)
        case .v6:
            append("[")
            append(endpoint.address)
            append("]")
        }
        append(":")
        append(UInt64(endpoint.port))
    }

    /// As ``append(_:)-(IPEndpoint)``, or `unix:` and the path.
    package mutating func append(_ address: SocketAddress) {
        if let endpoint = address.endpoint {
            append(endpoint)
            return
        }
        append("unix:")
        for index in 0..<address.pathByteCount { append(byte: address.pathByte(index)) }
    }
}
