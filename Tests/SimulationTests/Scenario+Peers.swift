import DataPlane
import Routes

/// The people of a world: chance writes what each client does, and what each origin does with a connection.
extension Scenario {
    static func client(_ number: Int, _ random: inout SimulatedRandom, _ temper: Temper) -> Client {
        let isEasy = temper.isEasy
        let hello = hello(&random, isEasy: isEasy)
        let first = Client.firstBytes(hello, &random)
        let payloadBytes: Int
        switch hello {
        case .proper, .nameless: payloadBytes = self.payloadBytes(&random, temper)
        case .partial, .silent: payloadBytes = 0
        case .malformed, .tooLarge, .sslv2, .plainHTTP, .garbage:
            payloadBytes =
                random.chance(perMille: 300)
                ? random.magnitude(in: 0...(temper.isBulky ? 400_000 : 10_000)) : 0
        }
        let stream = ByteStream(prefix: first, seed: random.next(), count: first.count + payloadBytes)
        var script = script(stream, &random, temper)
        script.isStubborn = !isEasy && random.chance(perMille: 200)
        script.prefixChunkMax = random.pick([1, 20, 500, 1 << 20])
        if first.count > 500 { script.prefixChunkMax = max(script.prefixChunkMax, first.count / 20) }
        if !isEasy, hello == .partial || hello == .silent {
            script.last = random.pick([.finish, .vanish, .linger, .reset, .close])
        }
        if case .proper = hello, !isEasy, random.chance(perMille: 30) { script.startsAfterBytes = 1 }
        if !isEasy, random.chance(perMille: temper.isParking ? 500 : 100) {
            script.chaos = (.reset, UInt64(random.magnitude(in: 1...1_000_000_000)))
            script.isChaosAfterPrefix = true
        }
        let open = UInt64(random.number(in: 0...Int(temper.busyNanoseconds)))
        // A few addresses for all, so that the limit by source has something to count.
        let host = UInt32(random.number(in: 1...4))
        let address: IPAddress =
            random.chance(perMille: 800)
            ? .v4(0x0a09_0000 | host)
            : .v6(high: 0x2001_0db8_0000_0000 | UInt64(host), low: UInt64(number + 1))
        return Client(
            number: number, hello: hello, endpoint: IPEndpoint(address: address, port: UInt16(2000 + number)),
            script: script, openNanoseconds: 1_000_000_000 + open)
    }

    private static func hello(_ random: inout SimulatedRandom, isEasy: Bool) -> Client.Hello {
        switch isEasy ? 0 : random.number(in: 0...99) {
        case 0..<72: .proper(name: random.pick(TableModel.names))
        case 72..<76: .nameless
        case 76..<80: .malformed
        case 80..<82: .tooLarge
        case 82..<84: .sslv2
        case 84..<88: .plainHTTP
        case 88..<91: .garbage
        case 91..<95: .silent
        default: .partial
        }
    }

    /// What an origin does with one connection.
    static func originScript(_ random: inout SimulatedRandom, _ temper: Temper) -> PeerScript {
        // No alert and no HTTP answer begins like this, so the two can be told apart by their first byte.
        let first: [UInt8] = [22, 3, 3]
        let stream = ByteStream(
            prefix: first, seed: random.next(), count: first.count + payloadBytes(&random, temper))
        var script = script(stream, &random, temper)
        if random.chance(perMille: 600) { script.startsAfterBytes = random.magnitude(in: 1...200) }
        if temper.isEasy { script.last = random.pick([.finish, .finishAfterOther]) }
        return script
    }

    private static func payloadBytes(_ random: inout SimulatedRandom, _ temper: Temper) -> Int {
        if temper.isBulky, random.chance(perMille: 600) { return random.number(in: 40_000...350_000) }
        return random.magnitude(in: 0...3000)
    }

    private static func script(
        _ stream: ByteStream, _ random: inout SimulatedRandom, _ temper: Temper
    ) -> PeerScript {
        var script = PeerScript(stream: stream)
        script.chunkMax =
            stream.count > 20_000 ? random.pick([20_000, 65_536]) : random.pick([100, 2000, 65_536])
        script.gapNanosecondsMax = random.pick([1, 100_000, 10_000_000])
        if random.chance(perMille: 200) {
            let chunkBytes = stream.count > 20_000 ? 65_536 : random.pick([500, 20_000])
            script.reading = .slow(chunkBytes: chunkBytes, gapNanoseconds: random.pick([10_000, 3_000_000]))
        }
        // Two that wait for each other never end; in an easy world that would be a fault of ours.
        guard !temper.isEasy else { return script }
        script.last = random.pick([
            .finish, .finish, .finish, .finish, .finishAfterOther, .finishAfterOther, .close, .reset, .vanish,
            .linger,
        ])
        if random.chance(perMille: temper.isBulky ? 250 : 100) {
            let afterBytes = temper.isBulky ? random.number(in: 0...150_000) : random.magnitude(in: 0...5000)
            script.reading = .stalls(afterBytes: afterBytes)
        }
        if random.chance(perMille: 50) { script.gapNanosecondsMax = 300_000_000 }
        if random.chance(perMille: 200) {
            let kinds: [PeerScript.Chaos] = [.reset, .reset, .timeOut, .vanish, .close, .finish]
            script.chaos = (random.pick(kinds), UInt64(random.magnitude(in: 1...3_000_000_000)))
        }
        return script
    }
}
