/// Makes hellos that are wrong, nearly right, or right in an unusual way. The same seed gives the same bytes
/// for ever, as long as the bases are the same: a failing seed can be replayed.
package struct HelloMutator {
    private let bases: [HelloBuilder]
    private var random = HelloRandom(seed: 0)

    /// - Parameter bases: the good hellos to start from; at least one.
    package init(bases: [HelloBuilder]) {
        precondition(!bases.isEmpty, "there must be a hello to mutate")
        self.bases = bases
    }

    /// The bytes of a mutated hello, as they would come over the wire.
    package mutating func hello(seed: UInt64) -> [UInt8] {
        random = HelloRandom(seed: seed)
        var hello = bases[random.below(bases.count)]
        for _ in 0..<random.below(4) { mutateFields(of: &hello) }
        var message = hello.message()
        if random.oneIn(2) { mutateMessage(&message) }
        var bytes = records(of: message)
        if random.oneIn(6) { mutateStream(&bytes) }
        return bytes
    }

    /// Changes a field; the lengths around it stay right.
    private mutating func mutateFields(of hello: inout HelloBuilder) {
        switch random.below(12) {
        case 0:
            hello.legacyVersion = random.element(of: [
                0x0300, 0x0301, 0x0302, 0x0304, 0x0305, 0x0400, 0x0200, 0xfefd,
            ])
        case 1: hello.sessionIdentifier = random.bytes(random.element(of: [0, 1, 16, 31, 32, 33, 64]))
        case 2: hello.cipherSuites = Array(hello.cipherSuites.prefix(random.below(6)))
        case 3: hello.compressionMethods = random.element(of: [[], [1], [1, 0], [0, 1], [0, 0]])
        case 4: hello.trailingBytes = random.bytes(random.below(5))
        case 5, 6, 7: mutateList(of: &hello)
        default: mutateServerName(of: &hello)
        }
    }

    /// Changes which extensions there are, and their order.
    private mutating func mutateList(of hello: inout HelloBuilder) {
        var list = hello.extensions ?? []
        switch random.below(9) {
        case 0 where !list.isEmpty: list.insert(random.element(of: list), at: random.below(list.count + 1))
        case 1 where !list.isEmpty: list.remove(at: random.below(list.count))
        case 2 where !list.isEmpty: list.swapAt(random.below(list.count), random.below(list.count))
        case 3:
            let other = random.element(of: bases).extensions ?? []
            if !other.isEmpty { list.insert(random.element(of: other), at: random.below(list.count + 1)) }
        case 4:
            for _ in 0..<random.below(20) {
                let type = UInt16(truncatingIfNeeded: random.next())
                list.insert(
                    .init(type: type, body: random.bytes(random.below(9))), at: random.below(list.count + 1))
            }
        case 5 where !list.isEmpty: list[random.below(list.count)].body = random.bytes(random.below(20))
        case 6 where !list.isEmpty: list[random.below(list.count)].type = UInt16(random.below(60))
        case 7:
            hello.extensions = nil
            return
        default: list.shuffle(using: &random)
        }
        hello.extensions = list
    }

    /// Changes the server_name extension: the name, its neighbours, or the lengths inside.
    private mutating func mutateServerName(of hello: inout HelloBuilder) {
        let name = mutatedName()
        switch random.below(10) {
        case 0:
            let names = (0..<random.below(4)).map { _ in (type: UInt8(random.below(2)), name: mutatedName()) }
            hello[0] = HelloBuilder.Extension.serverNames(names).body
        case 1: hello[0] = HelloBuilder.Extension.serverName(name).body + random.bytes(random.below(3))
        case 2:
            var body = HelloBuilder.Extension.serverName(name).body
            body[random.below(body.count)] &+= random.element(of: [1, 255])
            hello[0] = body
        case 3: hello[0] = Array(HelloBuilder.Extension.serverName(name).body.dropLast(random.below(4)))
        case 4: hello[0] = [UInt8](repeating: 0, count: random.below(4))
        default: hello[0] = HelloBuilder.Extension.serverName(name).body
        }
    }

    private mutating func mutatedName() -> [UInt8] {
        var name = Array(
            random.element(of: [
                "www.example.org", "EXAMPLE.org", "example.org.", "a", "", ".", "..", "a..b", ".a",
                "127.0.0.1",
                "127.1", "::1", "[::1]", "0x7f.1", "1.2.3.0x4", "xn--bcher-kva.example", "_dmarc.example.org",
                "-a-.b-",
                String(repeating: "a", count: 63) + ".org", String(repeating: "a", count: 64) + ".org",
                String(repeating: "ab.", count: 84) + "a", String(repeating: "ab.", count: 84) + "ab",
                String(repeating: "ab.", count: 84) + "a.", String(repeating: "ab.", count: 100) + "a",
            ]).utf8)
        guard random.oneIn(3) else { return name }
        let byte: UInt8 =
            random.oneIn(2)
            ? UInt8(random.below(256)) : random.element(of: [0, 0x20, 0x2e, 0x41, 0x5f, 0x80])
        name.insert(byte, at: random.below(name.count + 1))
        return name
    }

    /// Changes bytes of the message without repairing any length, save the message's own in half of the
    /// cases.
    private mutating func mutateMessage(_ message: inout [UInt8]) {
        for _ in 0...random.below(3) {
            let index = random.below(message.count)
            switch random.below(5) {
            case 0: message[index] ^= 1 << UInt8(random.below(8))
            case 1: message.insert(UInt8(random.below(256)), at: index)
            case 2 where message.count > 8: message.remove(at: index)
            case 3: message[index] &+= random.element(of: [1, 255, 0x80])
            default: if message.count > 60 { message.removeLast(random.below(20)) }
            }
        }
        guard random.oneIn(2) else { return }
        message.replaceSubrange(
            0..<4, with: HelloBuilder.handshake(type: 1, body: Array(message.dropFirst(4))).prefix(4))
    }

    /// The message in records: mostly one, else cut in some way, now and then with a record that does not
    /// belong.
    private mutating func records(of message: [UInt8]) -> [UInt8] {
        let version: UInt16 = random.element(of: [0x0301, 0x0301, 0x0301, 0x0303, 0x0300, 0x0302, 0x03ff])
        switch random.below(8) {
        case 0:
            return HelloBuilder.records(
                of: message, sizes: [random.below(message.count) + 1], version: version)
        case 1:
            return HelloBuilder.records(
                of: message, sizes: (0..<8).map { _ in random.below(60) + 1 }, version: version)
        case 2 where message.count < 600:
            return HelloBuilder.records(of: message, sizes: message.map { _ in 1 }, version: version)
        case 3 where random.oneIn(4):
            let cut = random.below(message.count)
            let between = HelloBuilder.record(
                of: random.element(of: [[], [1], [1, 0], [1, 90], [2, 40], [0]]),
                type: random.element(of: [20, 21, 22, 23]))
            let head = HelloBuilder.record(of: Array(message.prefix(cut)))
            return (cut == 0 ? [] : head) + between + HelloBuilder.record(of: Array(message.dropFirst(cut)))
        case 4 where random.oneIn(4):
            let second = HelloBuilder.handshake(
                type: UInt8(random.below(25)), body: random.bytes(random.below(40)))
            return HelloBuilder.record(of: message + second)
        default: return HelloBuilder.record(of: message, version: version)
        }
    }

    /// Changes the bytes as sent: anywhere, record headers included.
    private mutating func mutateStream(_ bytes: inout [UInt8]) {
        switch random.below(4) {
        case 0: bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
        case 1: bytes.removeLast(random.below(bytes.count))
        case 2:
            bytes += HelloBuilder.record(
                of: random.bytes(random.below(40) + 1), type: random.element(of: [20, 22, 23]))
        default: bytes[random.below(min(bytes.count, 12))] = UInt8(random.below(256))
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
package struct HelloRandom: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound` - 1.
    package mutating func below(_ bound: Int) -> Int { Int(next() >> 1) % bound }

    /// True once in `count` times.
    package mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }

    package mutating func element<Element>(of list: [Element]) -> Element { list[below(list.count)] }

    package mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(below(256)) } }
}
