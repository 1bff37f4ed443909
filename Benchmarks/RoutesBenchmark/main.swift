import Glibc
import Routes

// Prints how fast routes are loaded, looked up and compared, and what they cost in memory.
//
// Usage: RoutesBenchmark [--json]

let isJSON = CommandLine.arguments.contains("--json")
let seed = HashSeed(first: 0x1234_5678_9ABC_DEF0, second: 0x0FED_CBA9_8765_4321)
var report = BenchmarkReport()

for count in [1_000, 100_000, 1_000_000] {
    let result = RoutesBenchmark.measure(routeCount: count, seed: seed)
    report.add(result)
    if !isJSON { report.printLatest() }
}
if isJSON { report.printJSON() }
