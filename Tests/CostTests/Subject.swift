import DataPlane
import Testing

/// What a worker is started with, whatever its backend.
struct WorkerParts: Sendable {
    /// Of the backend and of the worker; descriptors have numbers below the last one.
    static let sessionsMax = 512
    static let pipesMax = 16
    static let descriptorsMax = 65_536

    var table: RouteTable
    var settings: WorkerSettings
    var links: WorkerLinks
    var shared: WorkerShared
}

/// A backend whose worker is measured.
struct Subject: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Makes the backend and runs the worker on the calling thread, as the edge does, until it is stopped.
    let run: @Sendable (WorkerParts) throws -> Void

    /// Every backend on real sockets: one entry each.
    static let all: [Subject] = [
        Subject(testDescription: "epoll") { parts in
            let backend = try EpollBackend(
                descriptorsMax: WorkerParts.descriptorsMax, sessionsMax: WorkerParts.sessionsMax,
                pipesMax: WorkerParts.pipesMax)
            runEpollWorker(
                backend, sessionsMax: WorkerParts.sessionsMax, table: parts.table, settings: parts.settings,
                links: parts.links, shared: parts.shared)
        },
        Subject(testDescription: "io_uring") { parts in
            let backend = try RingBackend(
                descriptorsMax: WorkerParts.descriptorsMax, sessionsMax: WorkerParts.sessionsMax,
                pipesMax: WorkerParts.pipesMax)
            runRingWorker(
                backend, sessionsMax: WorkerParts.sessionsMax, table: parts.table, settings: parts.settings,
                links: parts.links, shared: parts.shared)
        },
    ]
}
