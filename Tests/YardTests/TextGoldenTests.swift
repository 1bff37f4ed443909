import Support
import Testing
import YardKit

/// What people see of the edge's answers, on a terminal of 80 columns.
@Suite struct TextGoldenTests {
    private let terminal = Style(hasColours: false, width: 80)

    private func expectFits(_ lines: [String], _ columns: Int = 80) {
        for line in lines { #expect(line.count <= columns, "\(line)") }
    }

    @Test(arguments: ["status", "status-failed"])
    func `Status is as the golden file has it`(name: String) throws {
        let lines = StatusText.lines(try YardFixtures.answer(name), style: terminal)
        expectFits(lines)
        try YardFixtures.expect(lines, name)
    }

    @Test func `Routes fit a terminal and come as they are`() throws {
        var text = RoutesText(style: terminal)
        var lines = try YardFixtures.items("routes").flatMap { text.lines($0) }
        lines.append(text.closing)
        expectFits(lines)
        try YardFixtures.expect(lines, "routes")
    }

    @Test func `In a pipe nothing is cut or left out`() throws {
        var routes = RoutesText(style: .plain)
        try YardFixtures.expect(try YardFixtures.items("routes").flatMap { routes.lines($0) }, "routes-wide")
        var sessions = SessionsText(style: .plain)
        try YardFixtures.expect(
            try YardFixtures.items("sessions").flatMap { sessions.lines($0) }, "sessions-wide")
    }

    @Test(arguments: [
        ("route-exact", "www.one.example"), ("route-wildcard", "a.two.example"),
        ("route-asleep", "sleepy.example"),
        ("route-rejected", "gone.example"), ("route-down", "other.example"), ("route-none", "nobody.example"),
    ])
    func `A name's route is explained as the golden file has it`(name: String, host: String) throws {
        let lines = RouteExplanation(name: host, style: terminal).lines(try YardFixtures.answer(name))
        expectFits(lines, 90)
        try YardFixtures.expect(lines, name)
    }

    @Test func `Sessions fit a terminal`() throws {
        var text = SessionsText(style: terminal)
        var lines = try YardFixtures.items("sessions").flatMap { text.lines($0) }
        lines.append(text.closing)
        expectFits(lines)
        try YardFixtures.expect(lines, "sessions")
    }

    @Test func `Targets fit a terminal`() throws {
        var text = TargetsText(style: terminal)
        let lines = try YardFixtures.items("targets").flatMap { text.lines($0) }
        expectFits(lines)
        try YardFixtures.expect(lines, "targets")
    }

    @Test func `Counters and histograms are as the golden file has them`() throws {
        let lines = StatsText.lines(try YardFixtures.answer("stats"), style: terminal)
        expectFits(lines)
        try YardFixtures.expect(lines, "stats")
    }

    @Test func `What comes from the wire cannot command the terminal`() throws {
        let evil = JSONValue.object(["name": .string("a\u{1b}[2J\u{9b}\u{202e}b")])
        var text = SessionsText(style: .plain)
        let lines = text.lines([evil])
        #expect(lines.count == 2)
        #expect(lines[1].contains("a?[2J??b"))
    }

    @Test func `Without answers of the expected shape nothing breaks`() {
        let odd: [JSONValue] = [.null, .array([.null]), .object(["items": .number("1")]), .string("x")]
        for answer in odd {
            _ = StatusText.lines(answer, style: terminal)
            _ = StatsText.lines(answer, style: terminal)
            _ = RouteExplanation(name: "x", style: terminal).lines(answer)
            var routes = RoutesText(style: terminal)
            _ = routes.lines([answer])
            var targets = TargetsText(style: terminal)
            _ = targets.lines([answer])
        }
    }
}

@Suite struct HumanTests {
    @Test func `Counts have commas`() {
        #expect(
            [0, 999, 1000, 1_234_567, -1000].map(Human.count) == ["0", "999", "1,000", "1,234,567", "-1,000"])
    }

    @Test func `Sizes have at most five columns`() {
        let values: [Double] = [0, 512, 999, 1023, 1024, 10 * 1024, 1_048_575, 734_003_200, 1e15]
        #expect(
            values.map(Human.bytes) == ["0B", "512B", "999B", "1.0K", "1.0K", "10K", "1.0M", "700M", "909T"])
        #expect(Human.longBytes(18_874_368) == "18 MiB")
        #expect(Human.longBytes(5) == "5 B")
        for power in 0..<60 { #expect(Human.bytes(Double(1 << power) * 0.99).count <= 5) }
    }

    @Test func `Durations are as long as they must be`() {
        let values: [Double] = [0, 0.0004, 0.25, 1, 9.94, 12.4, 303, 8040, 273_912]
        #expect(
            values.map(Human.duration)
                == ["0ms", "0ms", "250ms", "1.0s", "9.9s", "12s", "5m03s", "2h14m", "3d04h"])
        #expect(Human.duration(.infinity) == "–")
    }
}

@Suite struct TableTests {
    @Test func `Columns that do not fit are cut, and then left out by their rank`() {
        let columns = [
            Table.Column("A", widthMin: 4), Table.Column("B", isRight: true), Table.Column("C", dropRank: 1),
        ]
        let row: [Table.Cell] = ["abcdefghij", "1", "ccc"]
        func lines(_ width: Int?) -> [String] {
            var table = Table(columns, style: Style(hasColours: false, width: width))
            return table.lines([row])
        }
        #expect(lines(nil) == ["A           B  C", "abcdefghij  1  ccc"])
        #expect(lines(14) == ["A       B  C", "abcde…  1  ccc"])
        #expect(lines(10) == ["A        B", "abcdef…  1"])
    }

    @Test func `Later rows keep the widths of the earlier ones, and colours do not count`() {
        var table = Table(
            [Table.Column("A"), Table.Column("B")], style: Style(hasColours: true, width: nil))
        _ = table.lines([["long-cell", "b"]])
        #expect(table.lines([[Table.Cell("x", .good), "b"]]) == ["\u{1b}[32mx\u{1b}[0m          b"])
    }
}
