import Testing
import YardKit

@Suite struct TopScreenTests {
    private func screen(
        _ columns: Int, _ rows: Int, hasColours: Bool = false, trouble: String? = nil,
        _ change: (inout TopScreen.Choices) -> Void = { _ in }
    ) throws -> TopScreen {
        var choices = TopScreen.Choices()
        change(&choices)
        let status = try YardFixtures.answer("status")
        return TopScreen(
            before: TopSample(top: try YardFixtures.answer("top-before"), status: status),
            now: TopSample(top: try YardFixtures.answer("top-now"), status: status), choices: choices,
            columns: columns, rows: rows, hasColours: hasColours, trouble: trouble)
    }

    @Test(arguments: [(80, 24), (200, 50)])
    func `The screen is as the golden file has it`(columns: Int, rows: Int) throws {
        let lines = try screen(columns, rows).lines
        try YardFixtures.expect(lines, "top-\(columns)x\(rows)")
    }

    @Test func `It fills every window exactly, however small`() throws {
        for columns in [20, 40, 79, 80, 81, 120, 300] {
            for rows in [4, 5, 8, 12, 24, 50, 100] {
                let lines = try screen(columns, rows, trouble: rows % 2 == 0 ? "a\nb" : nil).lines
                #expect(lines.count == rows)
                for line in lines { #expect(line.count <= columns, "\(columns)×\(rows): \(line)") }
            }
        }
    }

    @Test func `Keys change the order`() throws {
        func first(_ order: TopScreen.Order) throws -> String {
            let lines = try screen(80, 24) { $0.order = order }.lines
            return String(lines[5].dropFirst().prefix { $0 != " " })
        }
        #expect(try first(.rate) == "one.example")
        #expect(try first(.sessions) == "a.two.example")
        #expect(try first(.bytes) == "a.two.example")
        #expect(try first(.errors) == "a.two.example")
        #expect(TopScreen.Order.errors.next == .rate)
    }

    @Test func `Without two samples there are no rates, and no division by zero`() throws {
        let sample = TopSample(
            top: try YardFixtures.answer("top-now"), status: try YardFixtures.answer("status"))
        let lines = TopScreen(
            before: sample, now: sample, choices: .init(), columns: 80, rows: 24, hasColours: false
        ).lines
        #expect(lines[1].contains("new      –"))
    }

    @Test func `A frame is one text that clears what was there`() throws {
        let frame = try screen(80, 24, hasColours: true).frame
        #expect(frame.hasPrefix("\u{1b}[?2026h\u{1b}[H"))
        #expect(frame.hasSuffix("\u{1b}[J\u{1b}[?2026l"))
        #expect(frame.split(separator: "\r\n", omittingEmptySubsequences: false).count == 24)
        // No line break after the last line: it would scroll the screen.
        #expect(!frame.contains("\r\n\u{1b}[J"))
    }

    @Test func `An edge that does not answer is said, and the last figures stay`() throws {
        let lines = try screen(80, 24, trouble: "socket: Connection refused\nis it running?").lines
        #expect(lines[3] == " is it running?")
        #expect(lines[5].contains("one.example"))
    }
}
