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
            while true {
                bell.wait()
                drain()
            }
        }
    }

    /// Writes what there is now. For the log's thread alone: it may wait for its reader for ever, and holds
    /// no lock meanwhile.
    private func drain() {
        let rings = rings.withLock { $0 }
        for ring in rings { _ = ring.drain(to: descriptor) }
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
            _ = control.append(line.bytes)
            append(text, by: &line)
        }
        bell.ring()
    }

    private func append(_ text: String, by line: inout LineBuilder) {
        line.clear()
        var column = 0
        for byte in text.utf8 {
            line.append(byte: byte)
            column += 1
            guard column == 4000 else { continue }
            _ = control.append(line.bytes)
            line.clear()
            column = 0
        }
        line.append(byte: UInt8(ascii: "\n"))
        _ = control.append(line.bytes)
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
