import Support

/// What the functions of the release binary call, by name: read from its symbols and its machine code.
struct Disassembly {
    struct Function {
        /// As `swift demangle` prints it.
        let name: String
        let mangledName: String
        let address: UInt64
        let size: UInt64
    }

    let binary: String
    /// The functions of the edge's own modules.
    let functions: [Function]

    /// - Parameter modules: only functions of these modules are kept.
    init(of binary: String, modules: [String]) throws {
        self.binary = binary
        let listed = try run("nm", ["--defined-only", "--print-size", binary])
        let prefixes = modules.map { "$s\($0.count)\($0)" }
        let symbols = listed.output.split(separator: "\n").compactMap { line -> (UInt64, UInt64, String)? in
            let words = line.split(separator: " ")
            guard words.count == 4, words[2] == "t" || words[2] == "T",
                let address = UInt64(words[0], radix: 16), let size = UInt64(words[1], radix: 16),
                prefixes.contains(where: words[3].hasPrefix)
            else { return nil }
            return (address, size, String(words[3]))
        }
        let names = try Self.demangle(symbols.map(\.2))
        functions = zip(symbols, names).map { symbol, name in
            Function(name: name, mangledName: symbol.2, address: symbol.0, size: symbol.1)
        }
    }

    /// The names of what a function calls or jumps to outside itself. Calls through a register have none.
    func callees(of function: Function) throws -> [String] {
        let text = try run(
            "objdump",
            [
                "--disassemble", "--no-show-raw-insn", "--start-address=\(function.address)",
                "--stop-address=\(function.address + function.size)", binary,
            ])
        return text.output.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.contains(where: { $0 == "call" || $0 == "jmp" || $0 == "callq" || $0 == "jmpq" }),
                let last = words.last, last.hasPrefix("<"), last.hasSuffix(">")
            else { return nil }
            // `<swift_retain@plt>`, `<name+0x12>` for a jump inside a function.
            let name = last.dropFirst().dropLast()
            guard !name.contains("+0x") else { return nil }
            return String(name.split(separator: "@")[0])
        }
    }

    private static func demangle(_ names: [String]) throws -> [String] {
        guard !names.isEmpty else { return [] }
        let folder = try TemporaryFolder()
        let list = try folder.write("names", names.joined(separator: "\n") + "\n")
        let shown = try run("bash", ["-c", "swift demangle --compact <\"$1\"", "bash", list])
        let lines = shown.output.split(separator: "\n").map(String.init)
        guard lines.count == names.count else { throw ChildProcessError(description: shown.everything) }
        return lines
    }
}
