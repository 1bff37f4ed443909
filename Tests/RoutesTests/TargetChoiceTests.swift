import Routes
import Testing
import Wire

@Suite struct TargetChoiceTests {
    private func counts(_ image: [UInt8], draws: Int, skipping: TargetSet = TargetSet()) throws -> [Int] {
        var random = SeededGenerator(seed: 7)
        let route = try image.route("a.org")
        var counts = [Int](repeating: 0, count: route.targetCount)
        for _ in 0..<draws {
            let place = RouteImage.chooseWeighted(
                route, in: image.span.rawBytes, random: random.next(), skipping: skipping)
            if let place { counts[place] += 1 }
        }
        return counts
    }

    @Test func `Targets share sessions by weight`() throws {
        let image = try compile("a.org 10.0.0.1:1@98,10.0.0.2:1,10.0.0.3:1,10.0.0.4:1@0,10.0.0.5:1@backup")
            .image
        let counts = try counts(image, draws: 100_000)
        #expect(abs(counts[0] - 98_000) < 500)
        #expect(abs(counts[1] - 1_000) < 200)
        #expect(abs(counts[2] - 1_000) < 200)
        #expect(counts[3] == 0)
        #expect(counts[4] == 0)
    }

    @Test func `Skipped targets leave their share to the others, and backups come last`() throws {
        let image = try compile("a.org 10.0.0.1:1@2,10.0.0.2:1,10.0.0.3:1@backup,10.0.0.4:1@backup").image
        #expect(try counts(image, draws: 100, skipping: TargetSet(bits: 0b0001)) == [0, 100, 0, 0])
        let backups = try counts(image, draws: 10_000, skipping: TargetSet(bits: 0b0011))
        #expect(backups[0] == 0 && backups[1] == 0)
        #expect(abs(backups[2] - 5_000) < 300)
        #expect(try counts(image, draws: 10, skipping: TargetSet(bits: 0b0111)) == [0, 0, 0, 10])
        #expect(try counts(image, draws: 10, skipping: TargetSet(bits: 0b1111)) == [0, 0, 0, 0])
    }

    @Test func `When every target is drained, backups serve, and without them nobody`() throws {
        let with = try compile("a.org 10.0.0.1:1@0,10.0.0.2:1@backup").image
        #expect(try counts(with, draws: 10) == [0, 10])
        let without = try compile("a.org 10.0.0.1:1@0,10.0.0.2:1@0").image
        #expect(try counts(without, draws: 10) == [0, 0])
        let held = try compile("a.org held").image
        #expect(try counts(held, draws: 10) == [])
    }

    @Test func `Sixty-four targets are tried one after the other until none is left`() throws {
        let image = try compile("a.org " + (1...64).map { "10.0.0.\($0):1" }.joined(separator: ",")).image
        let route = try image.route("a.org")
        var random = SeededGenerator(seed: 3)
        for policy in 0..<3 {
            var tried = TargetSet()
            for _ in 0..<64 {
                let place: Int? =
                    switch policy {
                    case 0:
                        RouteImage.chooseWeighted(
                            route, in: image.span.rawBytes, random: random.next(), skipping: tried)
                    case 1:
                        RouteImage.chooseLeast(
                            route, in: image.span.rawBytes, random: random.next(), skipping: tried
                        ) { _ in 5 }
                    default:
                        RouteImage.chooseBySource(
                            route, in: image.span.rawBytes, client: .v4(1), skipping: tried)
                    }
                let chosen = try #require(place)
                #expect(!tried.contains(chosen))
                tried.insert(chosen)
            }
            #expect(tried.bits == .max)
            let weighted = RouteImage.chooseWeighted(
                route, in: image.span.rawBytes, random: 1, skipping: tried)
            let least = RouteImage.chooseLeast(
                route, in: image.span.rawBytes, random: 1, skipping: tried
            ) { _ in 0 }
            let source = RouteImage.chooseBySource(
                route, in: image.span.rawBytes, client: .v4(1), skipping: tried)
            #expect(weighted == nil && least == nil && source == nil)
        }
    }

    @Test func `Least sessions are counted for each unit of weight`() throws {
        let image = try compile("a.org 10.0.0.1:1@10,10.0.0.2:1@1,10.0.0.3:1@backup").image
        let route = try image.route("a.org")
        var sessions: [UInt32] = [0, 0, 0]
        var random = SeededGenerator(seed: 5)
        for _ in 0..<1_100 {
            let place = RouteImage.chooseLeast(
                route, in: image.span.rawBytes, random: random.next(), skipping: TargetSet()
            ) { sessions[$0] }
            sessions[try #require(place)] += 1
        }
        #expect(sessions == [1_000, 100, 0])
    }

    @Test func `Least decides evenly among equals`() throws {
        let image = try compile("a.org 10.0.0.1:1,10.0.0.2:1,10.0.0.3:1").image
        let route = try image.route("a.org")
        var random = SeededGenerator(seed: 5)
        var counts = [0, 0, 0]
        for _ in 0..<9_000 {
            let place = RouteImage.chooseLeast(
                route, in: image.span.rawBytes, random: random.next(), skipping: TargetSet()
            ) { $0 == 1 ? 9 : 4 }
            counts[try #require(place)] += 1
        }
        #expect(counts[1] == 0)
        #expect(abs(counts[0] - 4_500) < 300)
    }

    private func choose(_ image: [UInt8], _ client: IPAddress) throws -> Int {
        let route = try image.route("a.org")
        let place = RouteImage.chooseBySource(
            route, in: image.span.rawBytes, client: client, skipping: TargetSet())
        return try #require(place)
    }

    @Test func `A client keeps its target, and a removed target moves only its own clients`() throws {
        let three = try compile("a.org 10.0.0.1:1@2,10.0.0.2:1,10.0.0.3:1").image
        let two = try compile("a.org 10.0.0.3:1,10.0.0.1:1@2", seed: HashSeed(first: 9, second: 9)).image
        var counts = [0, 0, 0]
        for client in 0..<20_000 as Range<UInt32> {
            let address = IPAddress.v4(client &* 2_654_435_761)
            let before = try choose(three, address)
            let after = try choose(two, address)
            counts[before] += 1
            let name = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"][before]
            if before != 1 { #expect(["10.0.0.3:1", "10.0.0.1:1"][after] == name) }
            let mapped = IPAddress.v6(high: 0, low: 0xFFFF_0000_0000 | UInt64(client &* 2_654_435_761))
            #expect(try choose(three, mapped) == before)
        }
        #expect(abs(counts[0] - 10_000) < 400)
        #expect(abs(counts[1] - 5_000) < 400)
        #expect(abs(counts[2] - 5_000) < 400)
    }
}
