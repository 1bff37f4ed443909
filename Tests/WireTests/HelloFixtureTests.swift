import Support
import Testing
import Wire

/// Real hellos, cut in every way.
@Suite struct HelloFixtureTests {
    @Test("A recorded hello has the name and the offers that its client sent", arguments: HelloFixture.all)
    func contents(fixture: HelloFixture) {
        let (outcome, hello) = parse(fixture.bytes)
        #expect(outcome == (fixture.name == nil ? .noName : .name))
        #expect(hello.name.text == fixture.name ?? "")
        #expect(hello.offersPostQuantum == fixture.offersPostQuantum)
        #expect(hello.offersECH == fixture.offersECH)
        #expect(hello.offersEarlyData == fixture.offersEarlyData)
        let known: [String: ApplicationProtocols] = [
            "h2": .http2, "http/1.1": .http11, "http/1.0": .http10, "h3": .http3, "acme-tls/1": .acmeTLS1,
        ]
        let expected = fixture.applicationProtocols.map { known[$0] ?? .other }
        #expect(hello.applicationProtocols == ApplicationProtocols(expected))
        // Early data and nothing else may stand behind the hello.
        #expect((Int(hello.byteCount) < fixture.bytes.count) == fixture.offersEarlyData)
    }

    @Test(
        "Every prefix says need more until the answer, then the same answer for ever",
        arguments: HelloFixture.all)
    func everyPrefix(fixture: HelloFixture) {
        let (outcome, hello) = parse(fixture.bytes)
        let answers = answersWhileGrowing(fixture.bytes + [0x17, 3, 3, 0, 1, 0])
        for (index, answer) in answers.enumerated() {
            #expect(answer == (index + 1 < hello.byteCount ? .needMore : outcome), "after \(index + 1) bytes")
        }
    }

    @Test("A hello in two segments, cut anywhere, parses like a whole one", arguments: HelloFixture.all)
    func everyTwoSegments(fixture: HelloFixture) {
        let whole = parse(fixture.bytes)
        for cut in 1..<fixture.bytes.count {
            var parser = HelloParser()
            var hello = ClientHello()
            let bytes = fixture.bytes.span.rawBytes
            let first = parser.advance(bytes.extracting(first: cut), limits: HelloLimits(), into: &hello)
            #expect(first == (cut < whole.hello.byteCount ? .needMore : whole.outcome))
            let second = parser.advance(bytes, limits: HelloLimits(), into: &hello)
            #expect(second == whole.outcome)
            #expect(hello == whole.hello)
        }
    }

    @Test("A hello in two records, cut anywhere, parses like a whole one", arguments: HelloFixture.all)
    func everyTwoRecords(fixture: HelloFixture) throws {
        let message = try #require(HelloBuilder(parsing: fixture.bytes)).message()
        var whole = parse(HelloBuilder.record(of: message))
        whole.hello.byteCount += 5
        for cut in 1..<message.count {
            let bytes = HelloBuilder.records(of: message, sizes: [cut])
            let (outcome, hello) = parse(bytes)
            #expect(outcome == whole.outcome, "cut at \(cut)")
            #expect(hello == whole.hello, "cut at \(cut)")
        }
    }

    @Test("A hello in three records of any sizes parses like a whole one")
    func threeRecords() throws {
        var random = HelloRandom(seed: 3)
        for fixture in HelloFixture.all {
            let message = try #require(HelloBuilder(parsing: fixture.bytes)).message()
            let whole = parse(fixture.bytes)
            for _ in 0..<500 {
                let sizes = [random.below(message.count / 2) + 1, random.below(message.count / 2) + 1]
                let (outcome, hello) = parse(HelloBuilder.records(of: message, sizes: sizes))
                #expect(outcome == whole.outcome, "\(fixture), \(sizes)")
                #expect(hello.name == whole.hello.name, "\(fixture), \(sizes)")
                #expect(
                    hello.applicationProtocols == whole.hello.applicationProtocols, "\(fixture), \(sizes)")
            }
        }
    }

    @Test(
        "Records of one byte, segments of one byte, and both at once change nothing",
        arguments: HelloFixture.all)
    func oneByteRecords(fixture: HelloFixture) throws {
        let message = try #require(HelloBuilder(parsing: fixture.bytes)).message()
        let bytes = HelloBuilder.records(of: message, sizes: message.map { _ in 1 })
        #expect(bytes.count == message.count * 6)
        let whole = parse(fixture.bytes)
        let (outcome, hello) = parse(bytes)
        #expect(outcome == whole.outcome)
        #expect(hello.name == whole.hello.name)
        #expect(Int(hello.byteCount) == bytes.count)
        let answers = answersWhileGrowing(bytes)
        #expect(answers.dropLast().allSatisfy { $0 == .needMore })
        #expect(answers.last == whole.outcome)
    }

    @Test(
        "A message that lost its last bytes is refused, however many, also when its own length agrees"
    )
    func everyTruncation() throws {
        for fixture in HelloFixture.all {
            let message = try #require(HelloBuilder(parsing: fixture.bytes)).message()
            for count in 4..<message.count {
                let body = Array(message[4..<count])
                let bytes = HelloBuilder.record(of: HelloBuilder.handshake(type: 1, body: body))
                let outcome = parse(bytes).outcome
                // Cut exactly in front of the extensions it is a legal hello without any.
                if outcome == .noName, parse(bytes).hello.name.isEmpty, isCutBeforeExtensions(message, count)
                {
                    continue
                }
                guard case .malformed = outcome else {
                    Issue.record("\(fixture) cut to \(count) bytes: \(outcome)")
                    continue
                }
            }
        }
    }

    private func isCutBeforeExtensions(_ message: [UInt8], _ count: Int) -> Bool {
        guard var hello = HelloBuilder(parsing: HelloBuilder.record(of: message)) else { return false }
        hello.extensions = nil
        return hello.message().count == count
    }

    @Test("The fuzzers' function agrees with itself on real and on mutated hellos, in steps of any size")
    func fuzzFunction() {
        var mutator = HelloMutator(bases: HelloFixture.all.compactMap { HelloBuilder(parsing: $0.bytes) })
        for fixture in HelloFixture.all {
            for step in [1, 2, 3, 5, 64, 1460] {
                #expect(
                    HelloFuzz.run(fixture.bytes.span.rawBytes, step: step) == parse(fixture.bytes).outcome)
            }
        }
        for seed in 0..<UInt64(10_000) {
            let bytes = mutator.hello(seed: seed)
            _ = HelloFuzz.run(bytes.span.rawBytes, step: Int(seed % 97) + 1)
        }
    }

    @Test("Random bytes never trap, however they begin")
    func randomBytes() {
        var random = HelloRandom(seed: 11)
        for _ in 0..<50_000 {
            var bytes = random.bytes(random.below(80))
            // Most random bytes fall at the first; these get further.
            let head: [UInt8] = [22, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3]
            for index in 0..<min(random.below(12), bytes.count, head.count) { bytes[index] = head[index] }
            _ = HelloFuzz.run(bytes.span.rawBytes, step: random.below(9) + 1)
        }
    }
}
