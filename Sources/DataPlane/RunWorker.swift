import Linux

/// Runs a worker on the epoll backend until it is stopped or drained. Here, and not with the caller, so that
/// the worker is specialised for its backend: the whole loop is one module's code.
package func runEpollWorker(
    _ backend: consuming EpollBackend, sessionsMax: Int, table: RouteTable, settings: WorkerSettings,
    links: WorkerLinks, shared: WorkerShared
) {
    var worker = Worker(
        backend: backend, sessionsMax: sessionsMax, table: table, settings: settings, links: links,
        shared: shared)
    worker.run()
}

/// As ``runEpollWorker(_:sessionsMax:table:settings:links:shared:)``, on io_uring.
package func runRingWorker(
    _ backend: consuming RingBackend, sessionsMax: Int, table: RouteTable, settings: WorkerSettings,
    links: WorkerLinks, shared: WorkerShared
) {
    var worker = Worker(
        backend: backend, sessionsMax: sessionsMax, table: table, settings: settings, links: links,
        shared: shared)
    worker.run()
}
