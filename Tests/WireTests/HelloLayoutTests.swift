import Support
import Testing
import Wire

/// The values stay small and trivial: a change that makes them grow is noticed here.
@Suite struct HelloLayoutTests {
    /// Compiles for trivial types only.
    private func size<Value: BitwiseCopyable>(of type: Value.Type) -> Int { MemoryLayout<Value>.size }

    @Test("The parser's values are trivial and keep their size")
    func sizes() {
        #expect(size(of: HostName.self) == 256)
        #expect(size(of: HelloParser.self) == 22)
        #expect(size(of: ClientHello.self) == 264)
        #expect(size(of: HelloOutcome.self) == 1)
        #expect(size(of: HelloLimits.self) == 8)
        #expect(size(of: ApplicationProtocols.self) == 1)
        #expect(size(of: TLSAlert.self) == 1)
        #expect(size(of: HostNameFault.self) == 4)
    }

    @Test("Parsing a hello takes well under a microsecond for each 500 bytes")
    func speed() {
        let clock = ContinuousClock()
        for file in ["curl", "chromium"] {
            guard let fixture = HelloFixture.all.first(where: { $0.file == file }) else { continue }
            let message = HelloBuilder(parsing: fixture.bytes)?.message() ?? []
            let pieces = HelloBuilder.records(of: message, sizes: message.map { _ in 1 })
            let whole = nanosecondsPerHello(fixture.bytes, clock)
            let inPieces = nanosecondsPerHello(pieces, clock)
            let bytewise = clock.measure { _ = answersWhileGrowing(pieces) } / .nanoseconds(1)
            say(
                """
                parsing \(file), \(fixture.bytes.count) bytes: \(whole) ns; \
                in records of one byte: \(inPieces) ns; \
                and \(Int(bytewise)) ns when it is asked after each of these \(pieces.count) bytes
                """)
            // Wide enough for a busy machine; the figure that counts is the one printed.
            #expect(whole < 20_000)
        }
    }

    /// The fastest of several rounds, so that other work on the machine counts less.
    private func nanosecondsPerHello(_ bytes: [UInt8], _ clock: ContinuousClock) -> Int {
        let count = 20_000
        var best = Int.max
        for _ in 0..<5 {
            var names = 0
            let duration = clock.measure {
                for _ in 0..<count {
                    var parser = HelloParser()
                    var hello = ClientHello()
                    if parser.advance(bytes.span.rawBytes, limits: HelloLimits(), into: &hello) == .name {
                        names += 1
                    }
                }
            }
            #expect(names == count)
            best = min(best, Int(duration / .nanoseconds(1)) / count)
        }
        return best
    }
}
