import CFuzzer
import Fuzzing
import Glibc

/// libFuzzer around one of the targets: `FuzzDriver TARGET [libFuzzer's arguments] [corpus folders]`.
guard CommandLine.argc > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
    preconditionFailure("usage: FuzzDriver TARGET [-max_total_time=60] [CORPUS]; targets: \(names)")
}

/// The one that is fuzzed in this process; set once, before libFuzzer begins.
nonisolated(unsafe) var chosen = target

func runOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    // SAFETY: libFuzzer hands over `count` bytes, which it keeps until the function has returned.
    unsafe chosen.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

// The target's name stands where libFuzzer expects the program's.
var argumentCount = CommandLine.argc - 1
// SAFETY: the process's own arguments, of which there is one more than what is left.
var argumentValues: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv + 1
exit(unsafe LLVMFuzzerRunDriver(&argumentCount, &argumentValues, runOne))
