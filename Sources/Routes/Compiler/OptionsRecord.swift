import Wire

/// One record of the options section while it is being filled, and the digest of what it means.
struct OptionsRecord {
    private typealias Field = RouteImageLayout.OptionsField

    private(set) var bytes = InlineArray<48, UInt8>(repeating: 0)
    private(set) var digest = Fingerprint(kind: 0)

    init() {
        precondition(bytes.count == RouteImageLayout.optionsBytes, "the record has the layout's size")
    }

    /// Writes all that is not an address.
    mutating func set(_ options: ParsedOptions) {
        set(options.sessionsMax ?? RouteImageLayout.none, at: Field.sessionsMax)
        set(options.idleMilliseconds ?? RouteImageLayout.none, at: Field.idleMilliseconds)
        set(options.drainMilliseconds ?? RouteImageLayout.none, at: Field.drainMilliseconds)
        switch options.check {
        case .none: break
        case .tcp(let interval):
            bytes[Field.checkKind] = 1
            set(interval, at: Field.checkMilliseconds)
        case .hello(let interval):
            bytes[Field.checkKind] = 2
            set(interval, at: Field.checkMilliseconds)
        }
        bytes[Field.proxyVersion] = options.proxy.rawValue
        bytes[Field.httpScope] = options.isHTTPEverything ? 1 : 0
        digest.combine(bytes.span.rawBytes, 0..<Field.acme)
    }

    /// Writes an address.
    mutating func set(_ address: RouteImageBuilder.StoredAddress, at offset: Int) {
        bytes[offset + RouteImageLayout.AddressField.kind] = address.kind
        // A path has no port: the two share the place.
        let second = address.kind == RouteImageLayout.AddressKind.unix ? address.pathLength : address.port
        var span = bytes.mutableSpan
        span.store16(second, at: offset + RouteImageLayout.AddressField.port)
        span.store32(address.payload, at: offset + RouteImageLayout.AddressField.payload)
        digest.combine(UInt64(offset))
        digest.combine(address.digest)
    }

    private mutating func set(_ value: UInt32, at offset: Int) {
        var span = bytes.mutableSpan
        span.store32(value, at: offset)
    }
}
