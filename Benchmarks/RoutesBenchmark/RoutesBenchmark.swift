import Glibc
import Routes
import Wire

/// The measurements.
enum RoutesBenchmark {
    private static let lookupCount = 2_000_000

    /// Measures tables with so many routes: nine in ten exact names, the others wildcards, one IPv4 target
    /// each.
    static func measure(routeCount: Int, seed: HashSeed) -> BenchmarkResult {
        let text = routesText(count: routeCount, changed: false)
        let textBytes = text.count
        let file = SourceFile(path: "benchmark.routes", bytes: text)
        var loadSeconds = Double.infinity
        for _ in 0..<(routeCount > 500_000 ? 3 : 5) {
            let start = now()
            let compiled = compile(file, seed)
            loadSeconds = min(loadSeconds, now() - start)
            precondition(compiled.routeCount == routeCount, "all routes are in the table")
        }
        let (resident, peak) = memory(file, seed)
        let image = compile(file, seed).image
        let changed = compile(
            SourceFile(path: "benchmark.routes", bytes: routesText(count: routeCount, changed: true)), seed
        ).image

        let start = now()
        precondition(RouteChanges(from: image.span.rawBytes, to: image.span.rawBytes).isEmpty, "no change")
        let diffEqual = now() - start
        let changedStart = now()
        let changes = RouteChanges(from: image.span.rawBytes, to: changed.span.rawBytes)
        let diffChanged = now() - changedStart
        precondition(changes.changed.count == (routeCount + 9) / 10, "one in ten routes has changed")

        return BenchmarkResult(
            routeCount: routeCount,
            textBytesPerRoute: Double(textBytes) / Double(routeCount),
            loadSeconds: loadSeconds,
            imageBytesPerRoute: Double(image.count) / Double(routeCount),
            residentBytesPerRoute: Double(resident) / Double(routeCount),
            peakBytesPerRoute: Double(peak) / Double(routeCount),
            hitNanoseconds: lookupNanoseconds(image, routeCount, .exact),
            wildcardNanoseconds: lookupNanoseconds(image, routeCount, .wildcard),
            missNanoseconds: lookupNanoseconds(image, routeCount, .none),
            diffEqualSeconds: diffEqual,
            diffChangedSeconds: diffChanged)
    }

    private static func compile(_ file: SourceFile, _ seed: HashSeed) -> CompiledRoutes {
        do throws(InvalidSource) {
            return try RouteCompiler.compile([file], seed: seed)
        } catch {
            fatalError("the generated routes are valid: \(error.diagnostics.rendered)")
        }
    }

    /// What the process holds for one image once it was built, and its peak above the text while building it.
    private static func memory(_ file: SourceFile, _ seed: HashSeed) -> (resident: Int, peak: Int) {
        let before = status("VmRSS:")
        // 5 resets the peak: see proc(5), clear_refs.
        if let stream = unsafe fopen("/proc/self/clear_refs", "w") {
            unsafe fputs("5", stream)
            unsafe fclose(stream)
        }
        let compiled = compile(file, seed)
        let peak = status("VmHWM:") - before
        let resident = status("VmRSS:") - before
        precondition(compiled.image.count > 0, "the image lives while it is measured")
        return (resident, peak)
    }

    /// A field of /proc/self/status, in bytes.
    private static func status(_ field: String) -> Int {
        guard let stream = unsafe fopen("/proc/self/status", "r") else { return 0 }
        defer { unsafe fclose(stream) }
        var buffer = [CChar](repeating: 0, count: 256)
        while unsafe fgets(&buffer, 256, stream) != nil {
            let line = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard line.hasPrefix(field) else { continue }
            return (Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) ?? 0) * 1_024
        }
        return 0
    }

    /// Nanoseconds of one look-up with route and target, over names in random order.
    private static func lookupNanoseconds(
        _ image: [UInt8], _ routeCount: Int, _ kind: RouteMatch.Kind
    )
        -> Double
    {
        // The names lie one after the other, so that reading them costs the same for every table size.
        var names: [UInt8] = []
        var ends: [Int] = []
        var state: UInt64 = 88_172_645_463_325_252
        let sampleCount = 200_000
        for _ in 0..<sampleCount {
            state = next(state)
            let index = Int(state % UInt64(routeCount))
            switch kind {
            case .exact, .defaultRoute: names += Array(name(index / 10 * 10 + 1 + index % 9).utf8)
            case .wildcard: names += Array(("any" + name(index / 10 * 10).dropFirst()).utf8)
            case .none: names += Array("no\(state % 100_000_000).unknown.example".utf8)
            }
            ends.append(names.count)
        }
        let span = image.span.rawBytes
        let bytes = names.span.rawBytes
        var sum: UInt64 = 0
        let start = now()
        for _ in 0..<lookupCount / sampleCount {
            var first = 0
            for end in ends {
                let match = RouteImage.find(bytes.extracting(first..<end), in: span)
                first = end
                guard match.kind != .none else { continue }
                let route = RouteImage.route(match.routeIndex, in: span)
                sum &+= UInt64(RouteImage.target(route.targetStart, in: span).weight)
            }
        }
        let seconds = now() - start
        precondition((sum > 0) == (kind != .none), "names are found exactly when they should be")
        return seconds * 1e9 / Double(lookupCount / sampleCount * sampleCount)
    }

    private static func name(_ index: Int) -> String {
        // A multiplier spreads neighbours, as real names are spread.
        let spread = (UInt64(index) &* 0x9E37_79B9_7F4A_7C15) >> 32
        return (index % 10 == 0 ? "*." : "www.") + "site\(spread).example\(index % 7).org"
    }

    private static func routesText(count: Int, changed: Bool) -> [UInt8] {
        var text: [UInt8] = Array("# generated\n".utf8)
        text.reserveCapacity(count * 56)
        for index in 0..<count {
            let host = 0x0A00_0000 + index
            let port = changed && index % 10 == 3 ? 8443 : 443
            text += "\(name(index))  10.\(host >> 16 & 255).\(host >> 8 & 255).\(host & 255):\(port)\n".utf8
        }
        return text
    }

    private static func next(_ state: UInt64) -> UInt64 {
        var value = state
        value ^= value << 13
        value ^= value >> 7
        value ^= value << 17
        return value
    }

    private static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
