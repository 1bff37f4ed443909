/// `listen`, `allow` and `deny`.
extension ConfigurationParser {
    mutating func parseListen(_ line: ConfigurationLine, _ bytes: Span<UInt8>) throws(GrammarError) {
        let kindWord = line.arguments[0]
        guard let kind = Listener.Kind(rawValue: text(bytes, kindWord)) else {
            let isAddress = AddressGrammar.endpoint(bytes, kindWord) != nil
            throw GrammarError(
                kindWord, "unknown kind of listener \(quoted(bytes, kindWord))",
                hint: isAddress
                    ? "say first what is spoken there: listen tls \(text(bytes, kindWord))"
                    : Suggestion.hint(
                        for: text(bytes, kindWord), among: Listener.Kind.allCases.map(\.rawValue)))
        }
        guard line.arguments.count > 1 else {
            throw GrammarError(
                kindWord.upperBound..<kindWord.upperBound, "`listen \(kind.rawValue)` needs an address",
                hint: line.directive.example)
        }
        let address = line.arguments[1]
        let endpoint = try listenEndpoint(address, bytes)
        var listener = Listener(
            kind: kind, endpoint: endpoint, acceptProxyFrom: [], forwardTo: nil, place: place(address))
        parseListenOptions(Array(line.arguments.dropFirst(2)), into: &listener, bytes)
        if kind == .tcp, !line.arguments.contains(where: { hasPrefix(bytes, $0, "to=") }) {
            let end = line.arguments.last?.upperBound ?? address.upperBound
            report(
                GrammarError(
                    end..<end, "`listen tcp` needs `to=`: where connections go", hint: "to=192.0.2.1:22"))
        }
        if let first = configuration.listeners.first(where: { $0.endpoint == endpoint }) {
            let note = Diagnostic(.note, at: first.place, in: file, "it is first opened here")
            throw GrammarError(address, "\(endpoint) is opened twice", notes: [note])
        }
        configuration.listeners.append(listener)
    }

    private func listenEndpoint(_ word: Range<Int>, _ bytes: Span<UInt8>) throws(GrammarError) -> IPEndpoint {
        if let endpoint = AddressGrammar.endpoint(bytes, word) { return endpoint }
        if AddressGrammar.port(bytes, word) != nil {
            let port = text(bytes, word)
            throw GrammarError(
                word, "an address is missing before the port",
                hint: "0.0.0.0:\(port) and [::]:\(port) are all of them")
        }
        if hasPrefix(bytes, word, "unix:") {
            throw GrammarError(word, "clients come by IP: a listener has no unix socket")
        }
        throw AddressGrammar.explainEndpoint(bytes, word)
    }

    private mutating func parseListenOptions(
        _ words: [Range<Int>], into listener: inout Listener, _ bytes: Span<UInt8>
    ) {
        let known = listener.kind == .tcp ? ["accept-proxy", "to"] : ["accept-proxy"]
        for option in options(words, known: known, bytes) {
            do throws(GrammarError) {
                if option.key == "to" {
                    listener.forwardTo = try forwardAddress(option.value, bytes)
                } else {
                    for item in items(option.value, bytes) {
                        guard listener.acceptProxyFrom.count < Listener.acceptProxyMax else {
                            throw GrammarError(
                                item, "more than \(Listener.acceptProxyMax) prefixes",
                                hint: "prefixes that lie side by side can be written as a shorter one")
                        }
                        listener.acceptProxyFrom.append(try prefix(item, bytes))
                    }
                }
            } catch {
                report(error)
            }
        }
    }

    private func forwardAddress(
        _ range: Range<Int>, _ bytes: Span<UInt8>
    ) throws(GrammarError) -> ConfiguredAddress {
        switch try ParsedAddress.parse(bytes, range) {
        case .ip(let endpoint): .ip(endpoint)
        case .unix(let path): .unix(path: text(bytes, path))
        }
    }

    /// A prefix; bits behind its length are cleared with a warning.
    private mutating func prefix(
        _ range: Range<Int>, _ bytes: Span<UInt8>
    ) throws(GrammarError)
        -> AddressPrefix
    {
        let prefix = try AddressGrammar.requirePrefix(bytes, range)
        let slash = firstIndex(of: UInt8(ascii: "/"), bytes, range) ?? range.upperBound
        let host = range.lowerBound..<slash
        let written = AddressGrammar.ipv4(bytes, host).map(IPAddress.v4) ?? AddressGrammar.ipv6(bytes, host)
        if written != prefix.address {
            warn(range, "the bits behind the prefix length mean nothing", hint: "did you mean `\(prefix)`?")
        }
        return prefix
    }

    mutating func parseSources(
        _ line: ConfigurationLine, isAllowed: Bool, _ bytes: Span<UInt8>
    ) throws(GrammarError) {
        for word in line.arguments {
            for item in items(word, bytes) {
                let place = place(item)
                if matches(bytes, item, "all") {
                    for address in [IPAddress.v4(0), IPAddress.v6(high: 0, low: 0)] {
                        let prefix = AddressPrefix(address: address, lengthBits: 0)
                        configuration.sources.rules.append(
                            SourceRules.Rule(isAllowed: isAllowed, prefix: prefix, place: place))
                    }
                } else {
                    let prefix = try prefix(item, bytes)
                    configuration.sources.rules.append(
                        SourceRules.Rule(isAllowed: isAllowed, prefix: prefix, place: place))
                }
            }
        }
    }

    /// The parts between commas; empty ones included, so that they are complained about.
    private func items(_ range: Range<Int>, _ bytes: Span<UInt8>) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var start = range.lowerBound
        while let comma = firstIndex(of: UInt8(ascii: ","), bytes, start..<range.upperBound) {
            found.append(start..<comma)
            start = comma + 1
        }
        found.append(start..<range.upperBound)
        return found
    }
}
