import DataPlane
import Linux
import Routes
import Support
import Testing

@Suite struct RouteMarksTests {
    /// Routes with so many targets each, all at addresses of their own.
    private func table(_ counts: [Int], options: String = "") throws -> RouteTable {
        var number = 0
        let lines = counts.enumerated().map { index, count in
            let targets = (0..<count).map { _ -> String in
                number += 1
                return "10.\(number >> 16).\(number >> 8 & 255).\(number & 255):1"
            }
            return "r\(index).example \(targets.joined(separator: ","))\(options)\n"
        }
        let file = SourceFile(path: "marks.routes", text: lines.joined())
        let compiled = try RouteCompiler.compile([file], seed: HashSeed(first: 1, second: 2))
        return RouteTable(copying: compiled.image)
    }

    @Test("A mark is seen by the route that has the target, at its place, and by no other")
    func places() throws {
        var random = SeededRandom(seed: 5)
        let counts = (0..<60).map { _ in 1 + random.below(64) } + [64, 64, 1]
        let table = try table(counts)
        var marked: Set<UInt32> = []
        for _ in 0..<2000 {
            let index = UInt32(random.below(counts.reduce(0, +)))
            let isMarked = random.oneIn(2)
            table.mark(index, isMarked)
            if isMarked { marked.insert(index) } else { marked.remove(index) }
            let asked = UInt32(random.below(counts.count))
            let route = RouteImage.route(asked, in: table.image)
            let seen = table.marked(route)
            for place in 0..<64 {
                let isExpected =
                    place < route.targetCount && marked.contains(route.targetStart + UInt32(place))
                #expect(seen.contains(place) == isExpected)
            }
        }
        #expect(table.hasMarks == !marked.isEmpty)
        for index in marked { table.mark(index, false) }
        #expect(!table.hasMarks, "the count of marks follows")
    }

    @Test("A route keeps the identity that its limit is counted by when a reload moves or changes it")
    func identities() throws {
        func identities(_ text: String) throws -> [UInt64] {
            let file = SourceFile(path: "t.routes", text: text)
            let compiled = try RouteCompiler.compile([file], seed: HashSeed(first: 1, second: 2))
            let table = RouteTable(copying: compiled.image)
            return (0..<RouteImage.routeCount(in: table.image)).map { table.limitIdentity(UInt32($0)) }
        }
        let before = try identities("a.example,b.example 10.0.0.1:1 max=5\n*.c.example 10.0.0.1:1 max=5\n")
        let after = try identities(
            "* 10.0.0.1:1 max=5\n*.c.example 10.0.0.2:1 max=7\na.example 10.0.0.1:1 max=5\n")
        #expect(Set(before).count == 2 && Set(after).count == 3)
        #expect(Set(before).isSubset(of: Set(after)))
        #expect(!after.contains(0))
    }
}
