import Foundation
import Support
import Testing

/// The gate: once a worker is warm, no chunk that it relays and no connection that it takes may allocate or
/// count references. Counted on its own thread, over real sockets, in the code as it is shipped.
@Suite(.serialized) struct CostTests {
    @Test("A small chunk costs no allocation and no reference count", arguments: Subject.all, [true, false])
    func smallChunks(_ subject: Subject, logsAccess: Bool) throws {
        try WorkerBench.run(subject, logsAccess: logsAccess) { bench in
            let sessions = try (0..<16).map(bench.makeSession)
            try Self.exchange(sessions, rounds: 20)
            let rounds = 250
            let measurement = try bench.measure { try Self.exchange(sessions, rounds: rounds) }
            measurement.report(
                "small chunks", units: 2 * rounds * sessions.count, subject, logsAccess: logsAccess)
            #expect(measurement.costs == .none)
            #expect(measurement.spliceCount == 0, "this is about copying")
            try Self.expectLife(bench)
        }
    }

    @Test(
        "A spliced chunk costs no allocation and no reference count", arguments: Subject.all, [true, false])
    func bulkChunks(_ subject: Subject, logsAccess: Bool) throws {
        try WorkerBench.run(subject, logsAccess: logsAccess) { bench in
            let session = try bench.makeSession(0)
            let whole = 64 << 20
            for (source, sink) in [(session.client, session.origin), (session.origin, session.client)] {
                try Self.stream(4 << 20, from: source, to: sink)
                let measurement = try bench.measure { try Self.stream(whole, from: source, to: sink) }
                // In and out of the pipe.
                let chunks = measurement.spliceCount / 2
                measurement.report("spliced chunks", units: chunks, subject, logsAccess: logsAccess)
                #expect(measurement.costs == .none)
                // A pipe takes 1 MiB at most, where the system lets it.
                #expect(chunks >= whole >> 21, "a stream turns to splice")
            }
            try Self.expectLife(bench)
        }
    }

    @Test("A connection costs no allocation and no reference count", arguments: Subject.all, [true, false])
    func connections(_ subject: Subject, logsAccess: Bool) throws {
        try WorkerBench.run(subject, logsAccess: logsAccess) { bench in
            try Self.connect(bench, batches: Ending.allCases.count * 2)
            let batches = 125
            let measurement = try bench.measure { try Self.connect(bench, batches: batches) }
            measurement.report(
                "connections", units: batches * Self.batchCount, subject, logsAccess: logsAccess)
            #expect(measurement.costs == .none)
            try Self.expectLife(bench)
        }
    }

    @Test("A refusal costs no allocation and no reference count", arguments: Subject.all, [true, false])
    func refusals(_ subject: Subject, logsAccess: Bool) throws {
        try WorkerBench.run(subject, logsAccess: logsAccess) { bench in
            try Self.refuse(bench, batches: 2)
            let batches = 16
            let measurement = try bench.measure { try Self.refuse(bench, batches: batches) }
            measurement.report("refusals", units: batches * Self.batchCount, subject, logsAccess: logsAccess)
            #expect(measurement.costs == .none)
            try Self.expectLife(bench)
        }
    }

    @Test("A bench leaves no descriptor and no thread behind", arguments: Subject.all.indices)
    func leftovers(_ index: Int) async {
        await #expect(processExitsWith: .success) { [index] in
            // The first round opens what the process itself keeps open.
            try Self.useOnce(Subject.all[index])
            let (descriptors, threads) = (try Self.count("fd"), try Self.count("task"))
            for _ in 0..<4 { try Self.useOnce(Subject.all[index]) }
            #expect(try Self.count("fd") < descriptors + 2)
            #expect(try Self.count("task") < threads + 2)
        }
    }

    // MARK: Work

    /// Connections that are open at the same time.
    private static let batchCount = 16

    /// How the sessions of a batch end.
    private enum Ending: CaseIterable {
        case clientCloses, originCloses, clientHalfCloses, clientResets
    }

    /// Every client sends a little, and every origin answers; two chunks for each session and round.
    private static func exchange(
        _ sessions: [(client: StreamSocket, origin: StreamSocket)], rounds: Int
    ) throws {
        let question = [UInt8](repeating: 0x71, count: 100)
        let answer = [UInt8](repeating: 0x61, count: 1000)
        for _ in 0..<rounds {
            for session in sessions { try session.client.send(question) }
            for session in sessions {
                try #require(try session.origin.receive(exactly: question.count) == question)
                try session.origin.send(answer)
            }
            for session in sessions {
                try #require(try session.client.receive(exactly: answer.count) == answer)
            }
        }
    }

    private static func stream(_ count: Int, from source: StreamSocket, to sink: StreamSocket) throws {
        let sender = Background {
            let piece = [UInt8](repeating: 0x62, count: 256 << 10)
            for _ in 0..<(count / piece.count) { try source.send(piece) }
        }
        var received = 0
        while received < count {
            let bytes = try sink.receive(upTo: min(256 << 10, count - received))
            if bytes.isEmpty { break }
            received += bytes.count
        }
        try sender.wait()
        try #require(received == count)
    }

    /// From hello to close, in batches that end in every way in turn.
    private static func connect(_ bench: WorkerBench, batches: Int) throws {
        let answer = [UInt8](repeating: 0x61, count: 1000)
        for batch in 0..<batches {
            let hellos = (0..<batchCount).map { WorkerBench.hello(batch * batchCount + $0) }
            let clients = try hellos.map { try bench.makeClient($0) }
            var origins: [StreamSocket] = []
            for _ in clients {
                let origin = try bench.origin.accept()
                try #require(try !origin.receive().isEmpty)
                try origin.send(answer)
                origins.append(origin)
            }
            for client in clients { try #require(try client.receive(exactly: answer.count) == answer) }
            try end(clients, origins, Ending.allCases[batch % Ending.allCases.count])
        }
        try bench.waitForEnds()
    }

    private static func end(
        _ clients: [StreamSocket], _ origins: [StreamSocket], _ ending: Ending
    ) throws {
        switch ending {
        case .clientCloses:
            for client in clients { client.close() }
            for origin in origins { try #require(try origin.receive().isEmpty) }
        case .originCloses:
            for origin in origins { origin.close() }
            for client in clients { try #require(try client.receive().isEmpty) }
        case .clientHalfCloses:
            for client in clients { try client.endSending() }
            for origin in origins {
                try #require(try origin.receive().isEmpty)
                try origin.send([1])
                origin.close()
            }
            for client in clients { try #require(try client.receiveToEnd() == [1]) }
        case .clientResets:
            for client in clients { client.reset() }
            for origin in origins {
                #expect(throws: SocketError.connectionReset) { try origin.receive() }
            }
        }
        for socket in clients + origins { socket.close() }
    }

    private static func refuse(_ bench: WorkerBench, batches: Int) throws {
        let hello = WorkerBench.hello(name: "refused.example")
        for _ in 0..<batches {
            let clients = try (0..<batchCount).map { _ in try bench.makeClient(hello) }
            for client in clients {
                // A TLS alert (RFC 8446, 6).
                try #require(try client.receiveToEnd().first == 21)
                client.close()
            }
        }
        try bench.waitForEnds()
    }

    /// The same counter on the same thread sees what the worker does outside the hot path.
    private static func expectLife(_ bench: WorkerBench) throws {
        let measurement = try bench.measure { try bench.sendMessage() }
        #expect(measurement.costs[.release] > 0 && measurement.costs[.free] > 0, "the counter is blind")
    }

    private static func useOnce(_ subject: Subject) throws {
        try WorkerBench.run(subject, logsAccess: true) { bench in
            let session = try bench.makeSession(0)
            try stream(4 << 20, from: session.client, to: session.origin)
        }
    }

    /// How many entries a folder of this process in /proc has: `fd`, its descriptors; `task`, its threads.
    private static func count(_ folder: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/" + folder).count
    }
}
