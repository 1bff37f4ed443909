import Routes
import Testing
import Wire

@Suite struct RouteChangesTests {
    @Test func `Added, removed and changed names are told apart`() throws {
        let old = try compile("a.org held\nb.org 10.0.0.1:1\nc.org,d.org 10.0.0.1:1\n").image
        let new = try compile("b.org 10.0.0.1:2\n*.e.org held\nc.org,d.org 10.0.0.1:1\n* held").image
        let changes = old.changes(to: new)
        #expect(changes.added.examples == ["*.e.org", "*"])
        #expect(changes.removed.examples == ["a.org"])
        #expect(changes.changed.examples == ["b.org"])
        #expect(old.changes(to: old).isEmpty)
        #expect(new.changes(to: old).added.examples == ["a.org"])
        #expect(new.changes(to: old).removed.examples == ["*.e.org", "*"])
    }

    @Test func `Examples are bounded, counts are not`() throws {
        let text = (0..<50).map { "n\($0).org held\n" }.joined()
        let changes = RouteCompiler.empty(seed: testSeed).changes(to: try compile(text).image, examplesMax: 3)
        #expect(changes.added.count == 50)
        #expect(changes.added.examples == ["n0.org", "n1.org", "n2.org"])
    }

    @Test(arguments: [
        ("10.0.0.1:1,10.0.0.2:1", "10.0.0.2:1,10.0.0.1:1"),
        ("10.0.0.1:1 max=5 idle=1m", "10.0.0.1:1   idle=60s max=5 # same"),
        ("unix:/run/a http=unix:/b", "unix:/run/a http=unix:/b"), ("[::1]:1", "[0:0::1]:1"),
        ("10.0.0.1:1", "10.0.0.1:1@1 balance=weighted"),
    ])
    func `Lines that mean the same are no change, whatever the seed and the neighbours`(
        one: String, two: String
    ) throws {
        let old = try compile("a.org \(one)\nz.org unix:/first max=3").image
        let new = try compile(
            "y.org [::9]:9,unix:/y acme=unix:/z\na.org \(two)", seed: HashSeed(first: 4, second: 5)
        ).image
        #expect(old.changes(to: new).changed.count == 0)
    }

    @Test(arguments: [
        "10.0.0.1:2", "10.0.0.2:1", "10.0.0.1:1@2", "10.0.0.1:1@0", "10.0.0.1:1@backup",
        "10.0.0.1:1,10.0.0.2:1",
        "[::1]:1", "unix:/a", "held", "reject", "10.0.0.1:1 max=1", "10.0.0.1:1 idle=1m",
        "10.0.0.1:1 drain=0s",
        "10.0.0.1:1 check=tcp", "10.0.0.1:1 check=tcp:1s", "10.0.0.1:1 check=hello", "10.0.0.1:1 proxy=v1",
        "10.0.0.1:1 proxy=v2", "10.0.0.1:1 acme=10.0.0.1:1", "10.0.0.1:1 http=10.0.0.1:1",
        "10.0.0.1:1 balance=least",
        "10.0.0.1:1 http=all:10.0.0.1:1", "10.0.0.1:1 http=unix:/a", "10.0.0.1:1 acme=unix:/a",
        "10.0.0.1:1 balance=source",
        "asleep wake=unix:/a", "asleep wake=unix:/b", "10.0.0.1:1 acme=unix:/b",
    ])
    func `Whatever a line says is part of the comparison`(rest: String) throws {
        let old = try compile("a.org 10.0.0.1:1").image
        let new = try compile("a.org \(rest)").image
        #expect(old.changes(to: new).changed.count == 1)
        #expect(new.changes(to: new).isEmpty)
    }

    @Test(arguments: 0..<30)
    func `Random tables agree with the difference of two dictionaries`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func table() -> [String: Int] {
            var lines: [String: Int] = [:]
            for _ in 0..<Int.random(in: 0...200, using: &random) {
                let star = Bool.random(using: &random) ? "*." : ""
                lines["\(star)n\(Int.random(in: 0..<150, using: &random)).org"] = Int.random(
                    in: 1...3, using: &random)
            }
            if Bool.random(using: &random) { lines["*"] = Int.random(in: 1...2, using: &random) }
            return lines
        }
        let (old, new) = (table(), table())
        func image(_ table: [String: Int]) throws -> [UInt8] {
            let text = table.map { "\($0.key) 10.0.0.1:\($0.value)\n" }.joined()
            return try compile(text, seed: HashSeed(first: random.next(), second: random.next())).image
        }
        let changes = try image(old).changes(to: image(new), examplesMax: 1_000)
        #expect(Set(changes.added.examples) == Set(new.keys).subtracting(old.keys))
        #expect(Set(changes.removed.examples) == Set(old.keys).subtracting(new.keys))
        #expect(
            Set(changes.changed.examples) == Set(new.keys.filter { old[$0] != nil && old[$0] != new[$0] }))
    }

    @Test func `Listeners are opened, closed, kept and changed by their address`() throws {
        func parse(_ text: String) throws -> Configuration {
            try Configuration.parse(SourceFile(path: "c", text: "routes r\n" + text)).configuration
        }
        let old = try parse("listen tls 0.0.0.0:443\nlisten http 0.0.0.0:80\nlisten tls 0.0.0.0:1")
        let new = try parse(
            "\nlisten http 0.0.0.0:80\nlisten tls 0.0.0.0:443 accept-proxy=10.0.0.0/8\nlisten tls 0.0.0.0:2")
        let changes = ListenerChanges(from: old, to: new)
        #expect(changes.opened.map(\.endpoint.port) == [2])
        #expect(changes.closed.map(\.endpoint.port) == [1])
        #expect(changes.kept.map(\.endpoint.port) == [80])
        #expect(changes.changed.map(\.endpoint.port) == [443])
        #expect(ListenerChanges(from: old, to: old).isEmpty)
    }
}
