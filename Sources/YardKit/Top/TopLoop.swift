import Linux

/// `yard top` on a terminal: asks, draws, and hears keys, until it is told to end.
package struct TopLoop: ~Copyable {
    private let path: String
    private var client: ControlClient?
    private var before: TopSample
    private var now: TopSample
    private var choices: TopScreen.Choices
    private let hasColours: Bool
    private var trouble: String?
    /// As many names and targets as a large screen shows.
    private static let entriesMax = 200

    /// Asks for the first time; an edge that cannot be reached now is an error, later it is a line on screen.
    package init(path: String, choices: TopScreen.Choices, hasColours: Bool) throws(YardError) {
        self.path = path
        self.choices = choices
        self.hasColours = hasColours
        var client = try Self.client(path)
        now = try Self.sample(&client)
        before = now
        self.client = consume client
    }

    /// Keys are not heard while it waits: not for long.
    private static func client(_ path: String) throws(YardError) -> ControlClient {
        try ControlClient(path: path, timeoutMilliseconds: 3000)
    }

    private static func sample(_ client: inout ControlClient) throws(YardError) -> TopSample {
        let top = try client.ask(Request.with("top", ["limit": .integer(entriesMax)]))
        return TopSample(top: top, status: try client.ask(Request.plain("status")))
    }

    private mutating func ask() {
        do throws(YardError) {
            let sample = try nextSample()
            // After a restart of the edge its counters begin anew: no rates for one turn.
            let isSame = sample.status["pid"] == now.status["pid"] && sample.seconds >= now.seconds
            before = isSame ? now : sample
            now = sample
            trouble = nil
        } catch {
            trouble = error.text
        }
    }

    /// By the connection that there is, or by a new one: after an upgrade of the edge another process
    /// answers.
    private mutating func nextSample() throws(YardError) -> TopSample {
        if var held = client.take(), let sample = try? Self.sample(&held) {
            client = consume held
            return sample
        }
        // Put back when it has answered: one that has failed is dropped.
        var client = try Self.client(path)
        let sample = try Self.sample(&client)
        self.client = consume client
        return sample
    }

    private func screen(_ columns: Int, _ rows: Int) -> TopScreen {
        TopScreen(
            before: before, now: now, choices: choices, columns: columns, rows: rows,
            hasColours: hasColours, trouble: trouble)
    }

    /// One screen as text, after a second, so that there are rates.
    package mutating func once(columns: Int, rows: Int) throws(YardError) -> [String] {
        sleepMicroseconds(1_000_000)
        ask()
        if let trouble { throw YardError(trouble, status: .notAsked) }
        return screen(columns, rows).lines.map(\.trimmedAtEnd)
    }

    /// Until `q` or a signal.
    package mutating func run() throws(YardError) {
        let terminal: TakenTerminal
        do throws(Errno) {
            terminal = try TakenTerminal()
        } catch {
            throw YardError("the terminal cannot be used: \(error)", status: .notAsked)
        }
        // The second question soon, so that rates are there at once.
        var deadline = monotonicNanoseconds() + 500_000_000
        while true {
            draw()
            let current = monotonicNanoseconds()
            let wait: Int32 =
                choices.isPaused
                ? -1 : Int32(clamping: deadline > current ? (deadline - current) / 1_000_000 : 0)
            switch terminal.next(waitingMilliseconds: wait) {
            case .ended, .key(UInt8(ascii: "q")), .key(UInt8(ascii: "Q")), .key(3): return
            case .key(UInt8(ascii: "s")): choices.order = choices.order.next
            case .key(UInt8(ascii: "p")), .key(UInt8(ascii: " ")): choices.isPaused.toggle()
            case .key(let key) where (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(key):
                choices.seconds = Int(key - UInt8(ascii: "0"))
                deadline = monotonicNanoseconds() + UInt64(choices.seconds) * 1_000_000_000
            case .key, .resized, .resumed, .timeout: break
            }
            if !choices.isPaused, monotonicNanoseconds() >= deadline {
                ask()
                deadline = monotonicNanoseconds() + UInt64(choices.seconds) * 1_000_000_000
            }
        }
    }

    private func draw() {
        let size = terminalSize(1) ?? (80, 24)
        // What cannot be shown will be with the next frame, or the terminal is gone and a signal says so.
        try? writeAll(1, Array(screen(size.columns, size.rows).frame.utf8))
    }
}
