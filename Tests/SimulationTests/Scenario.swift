import DataPlane
import Linux
import Routes

/// One world as a seed makes it: limits, hardships, routes, origins, clients, and what the operator does
/// meanwhile.
struct Scenario {
    /// What the operator does.
    enum Operation {
        case table(TableModel)
        case settings(WorkerSettings)
        case addListener, removeListener
        /// An origin gets no new sessions, or gets them again.
        case mark(origin: Int, Bool)
        case drain(nanoseconds: UInt64)
        case stop
        /// Sessions go to another worker, or stand still for nothing.
        case handOver(commits: Bool)
        case hardships(SimulatedHardships)
    }

    /// How an origin treats the connections that come to it.
    struct Origin {
        /// Out of a thousand connections each.
        var refusesPerMille = 0
        var ignoresPerMille = 0
        var resetsAtOncePerMille = 0
        var answerNanosecondsMax = 1_000_000
        /// Answers just when the worker gives up.
        var answersAtTimeout = false
    }

    /// What chance has decided for the whole world.
    struct Temper {
        /// A world in which every client must get all its bytes: nobody and nothing but the kernel is
        /// difficult.
        let isEasy: Bool
        /// Much is sent through large sockets, so that it is spliced; else little through sockets of any
        /// size.
        let isBulky: Bool
        /// Most routes are held, are reloaded often, and clients lose patience.
        let isParking: Bool
        /// `max=` of each route that has one.
        let sessionsPerRouteMax: Int
        /// Clients come until then.
        let busyNanoseconds: UInt64
    }

    let seed: UInt64
    let temper: Temper
    /// A world in which every client must get all its bytes: nobody and nothing but the kernel is difficult.
    let isEasy: Bool
    /// After the last operation nobody does anything any more; the worker must get rid of them all.
    let isFrozen: Bool
    let sessionsMax: Int
    let limits: SimulatedLimits
    let hardships: SimulatedHardships
    let settings: WorkerSettings
    let table: TableModel
    let origins: [Origin]
    let listenerCount: Int
    let clients: [Client]
    let operations: [(nanoseconds: UInt64, operation: Operation)]
    /// When the last client comes and the last operation is done.
    let busyNanoseconds: UInt64
    /// Whom the worker lets in.
    let deniedClient: Int?
    /// Continues the seed's chance during the run.
    let random: SimulatedRandom

    init(seed: UInt64) {
        var random = SimulatedRandom(seed: seed)
        self.seed = seed
        isEasy = random.chance(perMille: 150)
        isFrozen = !isEasy && random.chance(perMille: 200)
        sessionsMax = random.magnitude(in: 2...24)
        let isBulky = random.chance(perMille: 400)
        busyNanoseconds = UInt64(random.pick([50_000_000, 500_000_000, 5_000_000_000]))
        let temper = Temper(
            isEasy: isEasy, isBulky: isBulky, isParking: !isEasy && random.chance(perMille: 150),
            sessionsPerRouteMax: random.number(in: 1...4), busyNanoseconds: busyNanoseconds)
        self.temper = temper
        let isShortOfDescriptors = !isEasy && random.chance(perMille: 150)
        let listenerCount = random.number(in: 1...2)
        limits = SimulatedLimits(
            descriptorsMax: listenerCount
                + (isShortOfDescriptors ? random.number(in: 2...8) : 2 * sessionsMax + 8),
            // Two workers have them for a moment.
            buffersMax: 4 * sessionsMax + 2, pipesMax: random.magnitude(in: 1...12),
            pipeBytesMax: random.pick([1000, 4096, 65_536, 1 << 18]),
            backlogMax: random.magnitude(in: 1...16),
            socketBytes: isBulky ? 16_384...131_072 : random.pick([64...4096, 1000...65_536]))
        var hardships = Self.hardships(&random, isEasy: isEasy)
        if temper.isParking {
            hardships.tellsFaults = true
            hardships.faultDelayNanosecondsMax = 1_000_000_000
        }
        self.hardships = hardships
        let settings = Self.settings(&random, isEasy: isEasy, sessionsMax: sessionsMax)
        self.settings = settings
        self.listenerCount = listenerCount

        let originCount = random.number(in: 1...6)
        origins = (0..<originCount).map { _ in Self.origin(&random, isEasy: temper.isEasy) }
        table = TableModel.random(&random, originCount: originCount, temper)
        let clientCount = random.magnitude(in: 1...(isBulky ? 24 : 60))
        clients = (0..<clientCount).map { Self.client($0, &random, temper) }
        operations =
            isEasy
            ? Self.reloads(&random, originCount: originCount, temper)
            : Self.operations(&random, originCount: originCount, temper)
        deniedClient = !isEasy && random.chance(perMille: 200) ? 0 : nil
        self.random = random
    }

    /// One client is denied, or nobody.
    var gate: SourceGate {
        var rules = SourceRules()
        if let deniedClient {
            let address = clients[deniedClient].endpoint.address
            rules.rules.append(
                SourceRules.Rule(
                    isAllowed: false,
                    prefix: AddressPrefix(address: address, lengthBits: address.widthBits),
                    place: SourcePlace(line: 1, lineStart: 0, start: 0, end: 0)))
        }
        return SourceGate(rules)
    }

    /// Whether a client's address is the one that is denied.
    func isDenied(_ client: Client) -> Bool {
        deniedClient.map { clients[$0].endpoint.address == client.endpoint.address } ?? false
    }

    // MARK: The machine

    /// No completion is later than that.
    static let delayNanosecondsMax = 50_000_000

    static func hardships(_ random: inout SimulatedRandom, isEasy: Bool) -> SimulatedHardships {
        var hardships = SimulatedHardships()
        // Each kind of hardship is absent from many worlds, so that what another one does is seen more
        // clearly.
        func some(_ perMille: Int, _ random: inout SimulatedRandom) -> Int {
            random.chance(perMille: 500) ? random.number(in: 0...perMille) : 0
        }
        hardships.shortTransferPerMille = some(600, &random)
        hardships.atOncePerMille = random.pick([0, 500, 1000])
        hardships.latePerMille = some(1000, &random)
        hardships.delayNanosecondsMax = random.pick([10_000, 1_000_000, delayNanosecondsMax])
        hardships.faultDelayNanosecondsMax = random.pick([0, 50_000_000, 1_000_000_000])
        if random.chance(perMille: 100) {
            hardships.waveNanoseconds = UInt64(random.pick([100_000, 5_000_000]))
        }
        hardships.falseAgainPerMille = some(200, &random)
        hardships.falseReadinessPerMille = some(100, &random)
        hardships.noPipePerMille = some(300, &random)
        hardships.cancelLosesPerMille = some(1000, &random)
        hardships.tellsFaults = random.chance(perMille: 750)
        hardships.connectsAtOncePerMille = some(1000, &random)
        hardships.completionsPerWaitMax = random.pick([1, 3, 16, .max, .max])
        guard !isEasy else { return hardships }
        hardships.refusesAtOncePerMille = some(300, &random)
        if random.chance(perMille: 200) { hardships.noDescriptorPerMille = random.number(in: 0...200) }
        hardships.resetLosesBytesPerMille = some(1000, &random)
        return hardships
    }

    static func settings(
        _ random: inout SimulatedRandom, isEasy: Bool, sessionsMax: Int
    ) -> WorkerSettings {
        var settings = WorkerSettings()
        func time(_ choices: [UInt64]) -> UInt64 {
            isEasy ? 600_000_000_000 : random.pick(choices) * 1_000_000
        }
        settings.helloNanoseconds = time([50, 1000, 5000])
        settings.connectNanoseconds = time([20, 500, 5000])
        settings.idleNanoseconds = time([100, 2000, 30_000, 100_000])
        settings.halfCloseNanoseconds = time([50, 1000, 30_000])
        settings.wakeNanoseconds = time([100, 3000, 30_000])
        settings.heldNanoseconds = time([100, 3000, 30_000])
        settings.refusalNanoseconds = time([50, 2000])
        settings.helloBytesMax = isEasy ? 16_384 : random.pick([400, 2500, 16_384, 16_384])
        settings.sessionsPerSourceMax = isEasy ? 1000 : random.pick([1, 4, 1000, 1000])
        settings.parkedMax = random.pick([0, 1, sessionsMax, sessionsMax])
        settings.parkedPerSourceMax = random.pick([1, sessionsMax])
        return settings
    }

    private static func origin(_ random: inout SimulatedRandom, isEasy: Bool) -> Origin {
        var origin = Origin()
        origin.answerNanosecondsMax = random.pick([10_000, 1_000_000, isEasy ? 1_000_000 : 1_000_000_000])
        guard !isEasy else { return origin }
        origin.refusesPerMille = random.pick([0, 0, 200, 1000])
        origin.answersAtTimeout = random.chance(perMille: 150)
        origin.ignoresPerMille = random.pick([0, 0, 200, 800])
        origin.resetsAtOncePerMille = random.pick([0, 0, 200, 800])
        return origin
    }

    // MARK: The operator

    private static func reloads(
        _ random: inout SimulatedRandom, originCount: Int, _ temper: Temper
    ) -> [(nanoseconds: UInt64, operation: Operation)] {
        var operations: [(nanoseconds: UInt64, operation: Operation)] = []
        for _ in 0..<random.magnitude(in: 0...(temper.isParking ? 20 : 6)) {
            let start = UInt64(random.number(in: 0...Int(temper.busyNanoseconds)))
            // A storm: many at one moment.
            let count = random.chance(perMille: 200) ? random.number(in: 5...12) : 1
            for _ in 0..<count {
                let table = TableModel.random(&random, originCount: originCount, temper)
                operations.append((start, .table(table)))
            }
        }
        if random.chance(perMille: 400) {
            for _ in 0..<random.magnitude(in: 1...5) {
                let start = UInt64(random.number(in: 0...Int(temper.busyNanoseconds)))
                operations.append((start, .handOver(commits: random.chance(perMille: 600))))
            }
        }
        return operations.sorted { $0.nanoseconds < $1.nanoseconds }
    }

    private static func operations(
        _ random: inout SimulatedRandom, originCount: Int, _ temper: Temper
    ) -> [(nanoseconds: UInt64, operation: Operation)] {
        var operations = reloads(&random, originCount: originCount, temper)
        func add(_ perMille: Int, _ make: (inout SimulatedRandom) -> Operation) {
            guard random.chance(perMille: perMille) else { return }
            let time = UInt64(random.number(in: 0...Int(temper.busyNanoseconds)))
            operations.append((time, make(&random)))
        }
        add(200) { .settings(Self.settings(&$0, isEasy: false, sessionsMax: 8)) }
        add(100) { .settings(Self.settings(&$0, isEasy: false, sessionsMax: 8)) }
        add(200) { .hardships(Self.hardships(&$0, isEasy: false)) }
        for _ in 0..<6 {
            add(200) { .mark(origin: $0.number(in: 0...(originCount - 1)), $0.chance(perMille: 700)) }
        }
        add(150) { _ in .addListener }
        add(150) { _ in .removeListener }
        add(120) { .drain(nanoseconds: UInt64($0.pick([0, 100_000_000, 5_000_000_000]))) }
        add(80) { _ in .stop }
        return operations.sorted { $0.nanoseconds < $1.nanoseconds }
    }
}
