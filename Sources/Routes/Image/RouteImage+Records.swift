/// Reading routes, targets and options by index.
extension RouteImage {
    private typealias Header = RouteImageLayout.Header
    private typealias RouteField = RouteImageLayout.RouteField
    private typealias TargetField = RouteImageLayout.TargetField
    private typealias OptionsField = RouteImageLayout.OptionsField
    private typealias AddressField = RouteImageLayout.AddressField

    /// The route with an index that a match has given. Traps on an index that is not in the image.
    package static func route(_ index: UInt32, in image: RawSpan) -> Route {
        precondition(index < image.word32(at: Header.routeCount), "the route index belongs to this image")
        let record = section(Header.routes, in: image) &+ Int(index) &* RouteImageLayout.routeBytes
        guard let action = Route.Action(rawValue: image.word8(at: record + RouteField.action)),
            let balance = Route.Balance(rawValue: image.word8(at: record + RouteField.balance))
        else { preconditionFailure("the route record has a known action and balance") }
        return Route(
            action: action,
            balance: balance,
            targetCount: Int(image.word8(at: record + RouteField.targetCount)),
            backupCount: Int(image.word8(at: record + RouteField.backupCount)),
            targetStart: image.word32(at: record + RouteField.targetStart),
            totalWeight: image.word32(at: record + RouteField.totalWeight),
            optionsIndex: image.word32(at: record + RouteField.optionsIndex),
            fingerprint: image.word64(at: record + RouteField.fingerprint),
            line: image.word32(at: record + RouteField.line),
            fileIndex: image.word32(at: record + RouteField.fileIndex))
    }

    /// The target with an index in all targets of the image, from `Route.targetStart` on. Traps on other
    /// indices.
    package static func target(_ index: UInt32, in image: RawSpan) -> Target {
        precondition(index < image.word32(at: Header.targetCount), "the target index belongs to this image")
        let record = section(Header.targets, in: image) &+ Int(index) &* RouteImageLayout.targetBytes
        let address = address(
            kind: image.word8(at: record + TargetField.kind),
            port: image.word16(at: record + TargetField.port),
            pathLength: image.word16(at: record + TargetField.pathLength),
            payload: image.word32(at: record + TargetField.payload), in: image)
        guard let address else { preconditionFailure("the target record has a known kind of address") }
        return Target(
            address: address,
            weight: UInt32(image.word16(at: record + TargetField.weight)),
            isBackup: image.word8(at: record + TargetField.flags) != 0)
    }

    /// The options with an index that a route has given. Traps on other indices.
    package static func options(_ index: UInt32, in image: RawSpan) -> RouteOptions {
        precondition(index < image.word32(at: Header.optionsCount), "the options index belongs to this image")
        let record = section(Header.options, in: image) &+ Int(index) &* RouteImageLayout.optionsBytes
        func value(_ field: Int) -> UInt32? {
            let word = image.word32(at: record + field)
            return word == RouteImageLayout.none ? nil : word
        }
        var options = RouteOptions()
        options.sessionsMax = value(OptionsField.sessionsMax)
        options.idleMilliseconds = value(OptionsField.idleMilliseconds)
        options.drainMilliseconds = value(OptionsField.drainMilliseconds)
        let interval = image.word32(at: record + OptionsField.checkMilliseconds)
        switch image.word8(at: record + OptionsField.checkKind) {
        case 1: options.check = .tcp(intervalMilliseconds: interval)
        case 2: options.check = .hello(intervalMilliseconds: interval)
        default: options.check = .none
        }
        options.proxyHeader =
            RouteOptions.ProxyHeader(rawValue: image.word8(at: record + OptionsField.proxyVersion)) ?? .none
        options.acme = optionAddress(at: record + OptionsField.acme, in: image)
        options.wake = optionAddress(at: record + OptionsField.wake, in: image)
        if let address = optionAddress(at: record + OptionsField.http, in: image) {
            let isEverything = image.word8(at: record + OptionsField.httpScope) != 0
            options.http = isEverything ? .everything(address) : .challenges(address)
        }
        return options
    }

    /// `RouteOptions.proxyHeader` alone, for which one byte is read. Traps on other indices, too.
    package static func proxyHeader(_ index: UInt32, in image: RawSpan) -> RouteOptions.ProxyHeader {
        precondition(index < image.word32(at: Header.optionsCount), "the options index belongs to this image")
        let record = section(Header.options, in: image) &+ Int(index) &* RouteImageLayout.optionsBytes
        return RouteOptions.ProxyHeader(rawValue: image.word8(at: record + OptionsField.proxyVersion))
            ?? .none
    }

    /// What tells the route from all others in every worker: a digest of its place in the source files. A
    /// reload after which the route stands in another line changes it.
    package static func identity(of route: Route, in image: RawSpan) -> UInt64 {
        // FNV-1a, and a multiplication that brings its upper bits to life.
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for offset in filePath(route.fileIndex, in: image) {
            digest = (digest ^ UInt64(image.word8(at: offset))) &* 0x0000_0100_0000_01b3
        }
        return (digest ^ UInt64(route.line)) &* 0x9e37_79b9_7f4a_7c15
    }
    /// How many records of options there are; indices go from 0 to one below. Routes share equal ones.
    package static func optionsCount(in image: RawSpan) -> Int { Int(image.word32(at: Header.optionsCount)) }

    /// The path of the file with an index that a route has given, as bytes of the image.
    package static func filePath(_ index: UInt32, in image: RawSpan) -> Range<Int> {
        precondition(index < image.word32(at: Header.fileCount), "the file index belongs to this image")
        let record = section(Header.files, in: image) &+ Int(index) &* RouteImageLayout.fileBytes
        let start = section(Header.strings, in: image) &+ Int(image.word32(at: record))
        return start..<start &+ Int(image.word32(at: record + 4))
    }

    private static func section(_ field: Int, in image: RawSpan) -> Int {
        Int(truncatingIfNeeded: image.word64(at: field))
    }

    private static func optionAddress(at offset: Int, in image: RawSpan) -> TargetAddress? {
        address(
            kind: image.word8(at: offset + AddressField.kind),
            port: image.word16(at: offset + AddressField.port),
            pathLength: image.word16(at: offset + AddressField.pathLength),
            payload: image.word32(at: offset + AddressField.payload), in: image)
    }

    /// An IPv4 address is its own payload; the others lie in the strings section.
    private static func address(
        kind: UInt8, port: UInt16, pathLength: UInt16, payload: UInt32, in image: RawSpan
    ) -> TargetAddress? {
        switch kind {
        case RouteImageLayout.AddressKind.ipv4:
            return .ip(IPEndpoint(address: .v4(payload), port: port))
        case RouteImageLayout.AddressKind.ipv6:
            let offset = section(Header.strings, in: image) &+ Int(payload)
            let address = IPAddress.v6(high: image.word64(at: offset), low: image.word64(at: offset + 8))
            return .ip(IPEndpoint(address: address, port: port))
        case RouteImageLayout.AddressKind.unix:
            let offset = section(Header.strings, in: image) &+ Int(payload)
            return .unix(pathOffset: UInt32(offset), pathLength: pathLength)
        default:
            return nil
        }
    }
}
