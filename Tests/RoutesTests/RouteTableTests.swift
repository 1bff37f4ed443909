import Routes
import Testing
import Wire

@Suite struct RouteTableTests {
    @Test func `An exact name beats a wildcard, and a wildcard beats the default`() throws {
        let image = try compile("a.example.net held\n*.example.net reject\n* reset").image
        #expect(try image.route("a.example.net").action == .held)
        #expect(try image.route("b.example.net").action == .reject)
        #expect(try image.route("example.net").action == .reset)
        #expect(try image.route("a.b.example.net").action == .reset)
        #expect(image.find("b.example.net").kind == .wildcard)
        #expect(image.find("example.net").kind == .defaultRoute)
    }

    @Test func `The longest wildcard is the only one that fits`() throws {
        let image = try compile("*.example.net held\n*.b.example.net reject").image
        #expect(try image.route("a.b.example.net").action == .reject)
        #expect(try image.route("b.example.net").action == .held)
        #expect(image.find("a.b.c.example.net") == .none)
    }

    @Test func `Bytes that are no host name find nothing but the default`() throws {
        let image = try compile("*.example.net held\nexample.org reset").image
        let long = String(repeating: "a", count: 300)
        for name in ["", ".", "..", ".example.net", "*.example.net", "a.", "example.net", long, "a." + long] {
            let isWildcard = name == "*.example.net"
            #expect(image.find(name).kind == (isWildcard ? .wildcard : .none), "\(name)")
        }
    }

    @Test func `A session without a name gets the default or nothing`() throws {
        let with = try compile("a.org held\n* reset").image
        let found = RouteImage.defaultMatch(in: with.span.rawBytes)
        #expect(found.kind == .defaultRoute)
        let without = try compile("a.org held").image
        let nothing = RouteImage.defaultMatch(in: without.span.rawBytes)
        #expect(nothing == .none)
    }

    @Test(arguments: 0..<40)
    func `Random tables agree with a dictionary`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let labels = [
            "a", "b", "www", "example", "x1", "a-b", "org", "net", "sub", String(repeating: "l", count: 30),
        ]
        func randomName() -> String {
            let count = Int.random(in: 1...4, using: &random)
            return (0..<count).map { _ in labels.randomElement(using: &random) ?? "" }.joined(separator: ".")
        }
        var model: [String: Int] = [:]
        var lines: [String] = []
        for _ in 0..<Int.random(in: 0...300, using: &random) {
            let name = (Bool.random(using: &random) ? "" : "*.") + randomName()
            if model[name] != nil { continue }
            model[name] = lines.count
            lines.append("\(name) 10.0.0.1:\(lines.count + 1)")
        }
        let hashSeed = HashSeed(first: random.next(), second: random.next())
        let compiled = try compile(lines.joined(separator: "\n"), seed: hashSeed)
        #expect(compiled.nameCount == model.count)
        for _ in 0..<2_000 {
            let name = randomName()
            let match = compiled.image.find(name)
            let wildcard = name.firstIndex(of: ".").map { "*" + name[$0...] } ?? ""
            if let line = model[name] {
                #expect(match == RouteMatch(kind: .exact, routeIndex: UInt32(line)))
            } else if let line = model[wildcard] {
                #expect(match == RouteMatch(kind: .wildcard, routeIndex: UInt32(line)))
            } else {
                #expect(match == .none)
            }
        }
        for (name, line) in model where !name.hasPrefix("*") {
            #expect(try compiled.image.route(name).line == UInt32(line + 1))
        }
    }

    @Test func `Tiny tables, in which every name collides, find all names and no other`() throws {
        for count in 0...12 {
            for seed in 0..<50 as Range<UInt64> {
                let lines = (0..<count).map { "n\($0).org held" }.joined(separator: "\n")
                let image = try compile(lines, seed: HashSeed(first: seed, second: seed &* 77)).image
                for index in 0..<20 {
                    #expect((image.find("n\(index).org").kind == .exact) == (index < count))
                }
            }
        }
    }

    @Test func `Names that share all stored hash bits are told apart`() throws {
        // 32 bits are stored: among 300,000 names about ten pairs share them.
        let names = (0..<300_000).map { "name\($0).example" }
        let image = try compile(names.map { $0 + " held\n" }.joined()).image
        var tags: [UInt32: Int] = [:]
        var pairs = 0
        let slots = image.slots
        for slot in slots {
            let tag = UInt32(slot >> 32)
            tags[tag, default: 0] += 1
            if tags[tag] == 2 { pairs += 1 }
        }
        #expect(slots.count == names.count)
        #expect(pairs > 0)
        for (index, name) in names.enumerated() {
            #expect(image.find(name).routeIndex == UInt32(index))
        }
    }

    @Test func `Slots are well spread, whatever the seed`() throws {
        let names = (0..<50_000).map { "www.customer\($0).example held\n" }.joined()
        for seed in [HashSeed(first: 0, second: 0), testSeed, HashSeed(first: .max, second: .max)] {
            let image = try compile(names, seed: seed).image
            #expect(image.meanProbeCount < 3.5)
        }
    }

    @Test func `Another seed gives another order of slots`() throws {
        let text = (0..<1_000).map { "n\($0).org held\n" }.joined()
        let one = try compile(text, seed: HashSeed(first: 1, second: 2)).image
        let two = try compile(text, seed: HashSeed(first: 1, second: 3)).image
        #expect(one.slots != two.slots)
        #expect(try compile(text, seed: HashSeed(first: 1, second: 2)).image == one)
    }

    @Test func `The trivial types keep their sizes`() {
        #expect(MemoryLayout<RouteMatch>.size == 8)
        #expect(MemoryLayout<TargetSet>.size == 8)
        #expect(MemoryLayout<Route>.size <= 56)
        #expect(MemoryLayout<Target>.size <= 32)
        #expect(MemoryLayout<RouteOptions>.size <= 128)
    }

    @Test func `All names can be listed in the order of the files`() throws {
        let image = try compile("b.org,*.a.org held\na.org held\n* held").image
        var names: [String] = []
        var entry = RouteImage.nameEntry(after: nil, in: image.span.rawBytes)
        while let name = entry {
            names.append(RouteImage.text(of: name, in: image.span.rawBytes))
            entry = RouteImage.nameEntry(after: name, in: image.span.rawBytes)
        }
        #expect(names == ["b.org", "*.a.org", "a.org"])
    }

    @Test func `An image may be copied to any address`() throws {
        let image = try compile("a.org 10.0.0.1:1,[::1]:2,unix:/run/a check=tcp").image
        for shift in 1..<16 {
            let moved = [UInt8](repeating: 0xAA, count: shift) + image
            let span = moved.span.rawBytes.extracting(shift..<moved.count)
            try RouteImage.validate(span)
            let name = Array("a.org".utf8)
            let match = RouteImage.find(name.span.rawBytes, in: span)
            #expect(match.kind == .exact)
            let route = RouteImage.route(match.routeIndex, in: span)
            let target = RouteImage.target(route.targetStart + 2, in: span)
            let text = RouteImage.text(of: target.address, in: span)
            #expect(text == "unix:/run/a")
        }
    }

    @Test func `Damaged headers and cut images are refused`() throws {
        let image = try compile("a.org 10.0.0.1:1\n* held").image
        try RouteImage.validate(image.span.rawBytes)
        #expect(throws: RouteImageError.tooShort) { try RouteImage.validate([UInt8]().span.rawBytes) }
        #expect(throws: RouteImageError.notAnImage) {
            try RouteImage.validate([UInt8](repeating: 0, count: 1_000).span.rawBytes)
        }
        for count in 0..<image.count {
            let cut = Array(image.prefix(count))
            #expect(throws: RouteImageError.self) { try RouteImage.validate(cut.span.rawBytes) }
        }
        #expect(throws: RouteImageError.inconsistentSections) {
            try RouteImage.validate((image + [0]).span.rawBytes)
        }
        for bit in 0..<192 * 8 {
            var damaged = image
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: RouteImageError.self) { try RouteImage.validate(damaged.span.rawBytes) }
        }
    }
}

extension [UInt8] {
    /// The slots in use.
    fileprivate var slots: [UInt64] { allSlots.filter { $0 != 0 } }

    private var allSlots: [UInt64] {
        let (header, slotBytes) = (192, 12)
        let count = Int(word32(44))
        return (0..<count).map {
            let slot = header + slotBytes * $0
            return UInt64(word32(slot)) | UInt64(word32(slot + 4)) << 32
        }
    }

    /// How many slots a successful search looks at, on average.
    fileprivate var meanProbeCount: Double {
        let bucketCount = UInt64(word32(40))
        var sum = 0
        var count = 0
        for (index, slot) in allSlots.enumerated() where slot != 0 {
            sum += index - Int(((slot >> 32) * bucketCount) >> 32) + 1
            count += 1
        }
        return Double(sum) / Double(count)
    }

    private func word32(_ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(self[offset + $1]) << UInt32(8 * $1) }
    }
}
