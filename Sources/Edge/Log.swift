import DataPlane
import Linux
import Routes
import Synchronization

/// Where the edge's lines go: those of the control thread and, through their rings, those of the workers. One
/// thread writes; it alone waits when the reader is slow.
final class Log: Sendable {
    /// Rung when there are lines.
    let bell: LogBell
    private let descriptor: Int32
    private let rings = Mutex<[LogRing]>([])
    private let control = LogRing()
    private let level: Mutex<LogSettings.Level>
    /// For the log's thread: what it has to say of itself.
    private let notices = LogRing(bytesMax: 4096)
    /// Lines that nobody will read: the log could not be written, or its reader is too slow.
    private let lostCount = Atomic<UInt64>(0)
    private let builder = Mutex<LineBuilder>(LineBuilder())

    /// Writes to standard error until told otherwise.
    init() throws(Errno) {
        bell = try LogBell()
        descriptor = try duplicateDescriptor(2)
        level = Mutex(.info)
        rings.withLock { $0.append(control) }
    }

    /// Starts the thread that writes.
    func start() throws(Errno) {
        try startThread("log") { [self] in
            var untold = LogRing.Loss()
            while true {
                bell.wait()
                drain(&untold)
            }
        }
    }

    /// Lines that were lost here; those that workers could not hand over are counted by them.
    var lostLines: UInt64 { lostCount.load(ordering: .relaxed) }

    /// Writes what there is now. For the log's thread alone: it may wait for its reader for ever, and holds
    /// no lock meanwhile. `untold` are the lines that were lost since the log last said so.
    private func drain(_ untold: inout LogRing.Loss) {
        if untold.error != nil { tell(&untold) }
        let rings = rings.withLock { $0 }
        for ring in rings {
            let loss = ring.drain(to: descriptor)
            guard let error = loss.error else { continue }
            lostCount.add(UInt64(loss.lines), ordering: .relaxed)
            untold.lines += loss.lines
            untold.isTorn = untold.isTorn || loss.isTorn
            untold.error = error
        }
    }

    /// Says how many lines were lost, if the log can be written again: a full disk has room, or there is
    /// another file. If not, it is tried again with the next lines.
    private func tell(_ untold: inout LogRing.Loss) {
        let reason = untold.error.map { "\($0)" } ?? "-"
        let text =
            " warning the log could not be written for a while (\(reason)): lines lost: \(untold.lines)\n"
        var line = LineBuilder()
        // Behind the beginning of a line, which stays without its end.
        if untold.isTorn { line.append(byte: UInt8(ascii: "\n")) }
        line.append(timestampNanoseconds: realtimeNanoseconds())
        for byte in text.utf8 { line.append(byte: byte) }
        guard notices.append(line.bytes), notices.drain(to: descriptor).error == nil else { return }
        untold = LogRing.Loss()
    }

    /// Waits until what there is now is written, for the end of the process; not for long, because a reader
    /// that has stopped reading must not keep the edge from ending.
    func flush() {
        bell.ring()
        let rings = rings.withLock { $0 }
        let start = monotonicNanoseconds()
        while !rings.allSatisfy(\.isEmpty), monotonicNanoseconds() - start < 1_000_000_000 {
            sleepMicroseconds(500)
        }
    }

    /// Takes a worker's lines, too.
    func add(_ ring: LogRing) { rings.withLock { $0.append(ring) } }

    /// Goes by new settings: a file is opened anew, which is how log rotation works. On failure all stays as
    /// it was. A file that this makes belongs to `owner`: the user that the process is to become.
    func apply(_ settings: LogSettings, newFilesOwner owner: SystemUser? = nil) throws(Errno) {
        switch settings.destination {
        case .standardError: try replaceDescriptor(descriptor, with: try duplicateDescriptor(2))
        case .file(let path):
            if let owner, !owner.isCurrent {
                try replaceDescriptor(descriptor, with: try openForAppending(path, newFilesOwner: owner))
            } else {
                try replaceDescriptor(descriptor, with: try openForAppending(path))
            }
        }
        level.withLock { $0 = settings.level }
    }

    /// Adds a line of the control thread, with the time and the level in front. A text of several lines stays
    /// together.
    func write(_ severity: LogSettings.Level, _ text: String) {
        guard severity.rank >= level.withLock({ $0.rank }) else { return }
        // Under one lock from the time to the line feed: the wakes' thread and those of workers that cannot
        // start write, too.
        builder.withLock { line in
            line.clear()
            line.append(timestampNanoseconds: realtimeNanoseconds())
            line.append(byte: UInt8(ascii: " "))
            for byte in severity.rawValue.utf8 { line.append(byte: byte) }
            line.append(byte: UInt8(ascii: " "))
            let hasBegun = control.append(line.bytes)
            if !hasBegun || !append(text, by: &line) { lostCount.add(1, ordering: .relaxed) }
        }
        bell.ring()
    }

    /// False when there was no room for all of it.
    private func append(_ text: String, by line: inout LineBuilder) -> Bool {
        line.clear()
        var column = 0
        for byte in text.utf8 {
            line.append(byte: byte)
            column += 1
            guard column == 4000 else { continue }
            guard control.append(line.bytes) else { return false }
            line.clear()
            column = 0
        }
        line.append(byte: UInt8(ascii: "\n"))
        return control.append(line.bytes)
    }
}

extension LogSettings.Level {
    /// From the least severe up.
    fileprivate var rank: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .warning: 2
        case .error: 3
        }
    }
}
