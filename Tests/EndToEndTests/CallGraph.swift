import Support

/// Which function of a binary calls which, by name: read from its machine code. Calls through a pointer have
/// no name and are not in it.
struct CallGraph {
    /// By mangled name: what a function calls or jumps to outside itself.
    private var callees: [Substring: Set<Substring>] = [:]
    private var readableNames: [Substring: String] = [:]

    /// - Parameter modules: functions of these modules get a readable name; the others keep the one they
    ///   have.
    init(of binary: String, modules: [String]) throws {
        // The whole text is ten times as long as the lines that matter here.
        let listing = try run(
            "bash",
            [
                "-c", "objdump --disassemble --no-show-raw-insn \"$1\" | grep -E \"$2\"", "bash", binary,
                "^[0-9a-f]+ <.*>:$|\t(call|callq|jmp|jmpq|bl|b) .*<.*>$",
            ])
        guard listing.succeeded else { throw ChildProcessError(description: listing.errors) }
        let symbols = try run("nm", ["--print-size", "--defined-only", binary])
        guard symbols.succeeded else { throw ChildProcessError(description: symbols.errors) }
        read(listing.output, sizes: Self.sizes(symbols.output))
        try name(callees.keys.filter { name in modules.contains { name.contains("\($0.count)\($0)") } })
    }

    /// The bytes of each function, by its mangled name.
    private static func sizes(_ symbols: String) -> [Substring: UInt64] {
        var sizes: [Substring: UInt64] = [:]
        for line in symbols.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 4, let size = UInt64(words[1], radix: 16) { sizes[words[3]] = size }
        }
        return sizes
    }

    /// What stands behind a function's last byte belongs to one that has no symbol.
    private mutating func read(_ text: String, sizes: [Substring: UInt64]) {
        var current: Substring = ""
        var end = UInt64.max
        for line in text.utf8.split(separator: UInt8(ascii: "\n")).map(Substring.init) {
            guard let open = line.utf8.firstIndex(of: UInt8(ascii: "<")),
                let close = line.utf8.lastIndex(of: UInt8(ascii: ">"))
            else { continue }
            let name = line[line.utf8.index(after: open)..<close]
            let address = line.drop { $0 == " " }.prefix { $0.isHexDigit }
            let place = UInt64(address, radix: 16) ?? 0
            if line.utf8.last == UInt8(ascii: ":") {
                current = name
                callees[current] = []
                end = sizes[name].map { place + $0 } ?? .max
            } else if place >= end {
                continue
            } else if !name.utf8.contains(UInt8(ascii: "+")) {
                // `<name+0x12>` is a jump inside a function; `<swift_retain@plt>` leads to another library.
                callees[current]?.insert(name.prefix { $0 != "@" })
            }
        }
    }

    private mutating func name(_ mangled: [Substring]) throws {
        let folder = try TemporaryFolder()
        let list = try folder.write("names", mangled.joined(separator: "\n") + "\n")
        let shown = try run("bash", ["-c", "swift demangle --compact <\"$1\"", "bash", list])
        let readable = shown.output.split(separator: "\n")
        guard readable.count == mangled.count else { throw ChildProcessError(description: shown.errors) }
        readableNames = Dictionary(uniqueKeysWithValues: zip(mangled, readable.map(String.init)))
    }

    /// The readable name of a function of the chosen modules; the bare one of any other.
    func readableName(_ function: Substring) -> String {
        readableNames[function] ?? String(function)
    }

    /// Functions of the chosen modules whose readable name holds all the parts.
    func functions(named parts: [String]) -> [Substring] {
        readableNames.filter { entry in parts.allSatisfy(entry.value.contains) }.map(\.key)
    }

    /// What a function calls directly.
    func callees(of function: Substring) -> Set<Substring> {
        callees[function] ?? []
    }

    /// The functions of the chosen modules that run when one of the roots runs, and the way that leads to
    /// each.
    /// - Parameter stoppingAt: parts of the names of functions that are not followed.
    func reachable(from roots: [Substring], stoppingAt cold: [String]) -> [Substring: [Substring]] {
        var paths = Dictionary(uniqueKeysWithValues: roots.map { ($0, [$0]) })
        var waiting = roots
        while let function = waiting.popLast() {
            for next in callees(of: function) where paths[next] == nil {
                guard let name = readableNames[next], !cold.contains(where: name.contains) else { continue }
                paths[next] = paths[function, default: []] + [next]
                waiting.append(next)
            }
        }
        return paths
    }
}
