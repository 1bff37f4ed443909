package import Linux
package import Routes
import Wire

/// What is wrong with bytes that another process has sent.
package enum HandOverFault: Error, Equatable {
    /// They end within a field.
    case truncated
    /// They go on behind the last field.
    case tooLong
    /// A field, by its name, has a value that it cannot have.
    case invalid(StaticString)

    /// For the log.
    package var words: String {
        switch self {
        case .truncated: "a record that is cut off"
        case .tooLong: "a record that is too long"
        case .invalid(let field): "a record with a wrong \(field)"
        }
    }

    package static func == (left: HandOverFault, right: HandOverFault) -> Bool { left.words == right.words }
}

/// Writes fields one behind the other, numbers with their lowest byte first.
package struct HandOverWriter {
    /// What was written so far.
    package private(set) var bytes: [UInt8] = []

    /// Nothing written yet.
    package init() {}

    /// A number.
    package mutating func append<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
        var rest = UInt64(truncatingIfNeeded: number)
        for _ in 0..<(Number.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// Bytes, with their count in front.
    package mutating func append(_ content: [UInt8]) {
        append(UInt32(content.count))
        bytes += content
    }

    /// An IP address and a port.
    package mutating func append(_ endpoint: IPEndpoint) {
        switch endpoint.address {
        case .v4(let bits):
            append(UInt8(4))
            append(bits)
        case .v6(let high, let low):
            append(UInt8(6))
            append(high)
            append(low)
        }
        append(endpoint.port)
    }

    /// An address of any family, or none.
    package mutating func append(_ address: SocketAddress) {
        if address.pathByteCount > 0 {
            append(UInt8(1))
            append((0..<address.pathByteCount).map(address.pathByte))
        } else if let endpoint = address.endpoint {
            append(endpoint)
        } else {
            append(UInt8(0))
        }
    }

    /// What a listener is for.
    package mutating func append(_ plan: ListenerPlan) {
        append(plan.kind.rawValue)
        append(plan.target)
        append(UInt8(plan.acceptProxyFrom.count))
        for prefix in plan.acceptProxyFrom {
            append(IPEndpoint(address: prefix.address, port: 0))
            append(UInt8(prefix.lengthBits))
        }
    }
}

/// Reads fields; each is checked, so that no bytes whatever make more of it than an error.
package struct HandOverReader {
    private let bytes: [UInt8]
    private var offset = 0

    /// At the first byte.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// A number.
    package mutating func take<Number: FixedWidthInteger & UnsignedInteger>(
        _ type: Number.Type
    ) throws(HandOverFault) -> Number {
        let count = Number.bitWidth / 8
        guard bytes.count - offset >= count else { throw .truncated }
        var number: UInt64 = 0
        for place in 0..<count { number |= UInt64(bytes[offset + place]) << UInt64(8 * place) }
        offset += count
        return Number(truncatingIfNeeded: number)
    }

    /// A number that is at most `maximum`.
    package mutating func take<Number: FixedWidthInteger & UnsignedInteger>(
        _ field: StaticString, upTo maximum: Number
    ) throws(HandOverFault) -> Number {
        let number = try take(Number.self)
        guard number <= maximum else { throw .invalid(field) }
        return number
    }

    /// A case of an enum.
    package mutating func takeCase<Value: RawRepresentable>(
        _ field: StaticString, _ type: Value.Type
    ) throws(HandOverFault) -> Value where Value.RawValue == UInt8 {
        guard let value = Value(rawValue: try take(UInt8.self)) else { throw .invalid(field) }
        return value
    }

    /// At most `maximum` bytes, with their count in front.
    package mutating func takeBytes(_ field: StaticString, upTo maximum: Int) throws(HandOverFault) -> [UInt8]
    {
        let count = Int(try take(field, upTo: UInt32(maximum)))
        guard bytes.count - offset >= count else { throw .truncated }
        defer { offset += count }
        return Array(bytes[offset..<(offset + count)])
    }

    /// An IP address and a port.
    package mutating func takeEndpoint(_ field: StaticString) throws(HandOverFault) -> IPEndpoint {
        try takeEndpoint(field, family: try take(UInt8.self))
    }

    private mutating func takeEndpoint(
        _ field: StaticString, family: UInt8
    ) throws(HandOverFault) -> IPEndpoint {
        let address: IPAddress
        switch family {
        case 4: address = .v4(try take(UInt32.self))
        case 6: address = .v6(high: try take(UInt64.self), low: try take(UInt64.self))
        default: throw .invalid(field)
        }
        return IPEndpoint(address: address, port: try take(UInt16.self))
    }

    /// An address of any family, or none.
    package mutating func takeAddress(_ field: StaticString) throws(HandOverFault) -> SocketAddress {
        let family = try take(UInt8.self)
        switch family {
        case 0: return SocketAddress()
        case 1:
            let path = try takeBytes(field, upTo: SocketAddress.pathBytesMax)
            guard !path.isEmpty, !path.contains(0) else { throw .invalid(field) }
            return SocketAddress(path: path.span.rawBytes)
        default: return SocketAddress(try takeEndpoint(field, family: family))
        }
    }

    /// What a listener is for.
    package mutating func takePlan() throws(HandOverFault) -> ListenerPlan {
        let kind = try takeCase("listener", ListenerPlan.Kind.self)
        let target = try takeAddress("target")
        guard kind != .tcp || target.family != 0 else { throw .invalid("target") }
        var prefixes: [AddressPrefix] = []
        for _ in 0..<(try take("prefixes", upTo: UInt8(Listener.acceptProxyMax))) {
            let address = try takeEndpoint("prefix").address
            let lengthBits = Int(try take("prefix", upTo: UInt8(address.widthBits)))
            prefixes.append(AddressPrefix(address: address, lengthBits: lengthBits))
        }
        return ListenerPlan(kind: kind, target: target, acceptProxyFrom: prefixes)
    }

    /// Everything was read.
    package func finish() throws(HandOverFault) {
        guard offset == bytes.count else { throw .tooLong }
    }
}
