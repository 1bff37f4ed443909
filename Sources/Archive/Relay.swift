import Linux

/// Looks at what one program writes for another, and may forbid it.
protocol StreamInspector: Sendable {
    /// Sees the next bytes, before they are passed on.
    mutating func take(_ bytes: ArraySlice<UInt8>) throws(ArchiveRefusal)
    /// There are no more.
    mutating func finish() throws(ArchiveRefusal)
}

/// Two programs, the second of which reads what the first writes, with an inspector in between: nothing gets
/// to the second that the inspector has not seen.
struct Relay<Inspector: StreamInspector>: Sendable {
    /// Each a program's name and its arguments.
    var producer: [String]
    var consumer: [String]
    var inspector: Inspector

    /// The inspector, when both have ended well and it has seen everything. When the task is cancelled, both
    /// are ended.
    func run() async throws(ArchiveRefusal) -> Inspector {
        let (front, back): (DescriptorPair, DescriptorPair)
        do throws(Errno) {
            front = try DescriptorPair.pipe()
            do throws(Errno) {
                back = try DescriptorPair.pipe()
            } catch {
                front.close()
                throw error
            }
        } catch {
            throw ArchiveRefusal(error, "a pipe", "made")
        }
        // Each descriptor is closed by whom it is given to.
        async let produced = Tool.write(producer, to: front.writing)
        async let consumed = Tool.read(consumer, from: back.reading)
        let passed = await pass(from: front.reading, to: back.writing)
        let (producerWords, consumerWords) = await (produced, consumed)
        switch passed {
        case .refused(let refusal): throw refusal
        case .notRead:
            throw ArchiveRefusal(.failed, consumerWords ?? "`\(consumer[0])` ended before it was done")
        case .passed(let inspector):
            if let words = producerWords ?? consumerWords { throw ArchiveRefusal(.failed, words) }
            return inspector
        }
    }

    private enum Passed: Sendable {
        case passed(Inspector)
        case refused(ArchiveRefusal)
        /// The second program has stopped reading.
        case notRead
    }

    /// Waits in system calls; so it has a thread of its own.
    private func pass(from reading: Int32, to writing: Int32) async -> Passed {
        await withCheckedContinuation { continuation in
            do throws(Errno) {
                try startThread("relay") {
                    continuation.resume(
                        returning: passAll(
                            from: PipeEnd(takingOver: reading), to: PipeEnd(takingOver: writing)))
                }
            } catch {
                DescriptorPair(reading: reading, writing: writing).close()
                continuation.resume(returning: .refused(ArchiveRefusal(error, "a thread", "started")))
            }
        }
    }

    private func passAll(from front: consuming PipeEnd, to back: consuming PipeEnd) -> Passed {
        blockBrokenPipeSignal()
        var inspector = inspector
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        do {
            while true {
                let count = try front.read(into: &buffer)
                guard count > 0 else { break }
                try inspector.take(buffer[..<count])
                try back.write(buffer, count: count)
            }
            try inspector.finish()
            return .passed(inspector)
        } catch let refusal as ArchiveRefusal {
            return .refused(refusal)
        } catch {
            return .notRead
        }
    }
}
