import Runme

/// How many sites may run at once, and with how much memory. When there is no room, those that had no
/// visitor for longest are put to sleep.
package actor Capacity {
    /// What there may be.
    package struct Limits: Equatable, Sendable {
        /// Sites.
        package var running: Int
        /// Of all memory limits together; sites without one count as nothing.
        package var memoryBytes: UInt64

        package init(running: Int = .max, memoryBytes: UInt64 = .max) {
            self.running = running
            self.memoryBytes = memoryBytes
        }
    }

    private let limits: Limits
    private var running: [String: UInt64] = [:]
    /// Who was told to wait, in the order of coming.
    private var waiting: [String] = []
    /// Puts sites to sleep until so much is free: asked with a number of sites and of bytes; whether any
    /// goes.
    private var makeRoom: (@Sendable (_ sites: Int, _ bytes: UInt64) async -> Bool)?
    private var tell: (@Sendable (_ domain: String) async -> Void)?

    package init(_ limits: Limits) { self.limits = limits }

    /// Who is asked for room, and who is told that there is some.
    func connect(
        makeRoom: @escaping @Sendable (_ sites: Int, _ bytes: UInt64) async -> Bool,
        tell: @escaping @Sendable (_ domain: String) async -> Void
    ) {
        self.makeRoom = makeRoom
        self.tell = tell
    }

    /// Sites and bytes in use.
    var used: (sites: Int, memoryBytes: UInt64) { (running.count, running.values.reduce(0, +)) }

    /// Room for a site; nil: it may run. Else the reason why it has to wait.
    func admit(_ domain: String, memoryBytes: UInt64) async -> String? {
        guard memoryBytes <= limits.memoryBytes else {
            return "it may have more memory than all sites together"
        }
        if take(domain, memoryBytes) { return nil }
        if !waiting.contains(domain) { waiting.append(domain) }
        let (sites, bytes) = used
        let missingBytes =
            bytes + memoryBytes > limits.memoryBytes ? bytes + memoryBytes - limits.memoryBytes : 0
        let goes = await makeRoom?(max(0, sites + 1 - limits.running), missingBytes) ?? false
        let what = "\(sites) sites run, and there is no room for another one"
        return goes ? "\(what): the longest idle is put to sleep" : "\(what) before one of them is idle"
    }

    private func take(_ domain: String, _ memoryBytes: UInt64) -> Bool {
        if running[domain] != nil { return true }
        let (sites, bytes) = used
        guard sites < limits.running, bytes + memoryBytes <= limits.memoryBytes else { return false }
        running[domain] = memoryBytes
        waiting.removeAll { $0 == domain }
        return true
    }

    /// A site that runs, however that came.
    func note(_ domain: String, memoryBytes: UInt64) {
        running[domain] = memoryBytes
        waiting.removeAll { $0 == domain }
    }

    /// A site that does not run any more.
    func release(_ domain: String) async {
        guard running.removeValue(forKey: domain) != nil else { return }
        if let next = waiting.first { await tell?(next) }
    }
}
