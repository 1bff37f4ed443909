import Support
import Testing

extension EndToEnd {
    /// What is in the release binary, and what is not.
    @Suite struct Binary {
        /// Functions that run for each event of a session, by a part of their name. Everything that matches
        /// is looked at; a name that matches nothing is a failure, so that the list cannot rot.
        private static let hotFunctions: [String] = []

        /// What must not be called there: reference counting, exclusivity checks, allocation.
        private static let forbidden: Set<String> = [
            "swift_retain", "swift_release", "swift_retain_n", "swift_release_n", "swift_bridgeObjectRetain",
            "swift_bridgeObjectRelease", "swift_beginAccess", "swift_allocObject", "swift_slowAlloc",
            "malloc",
            "calloc", "realloc", "posix_memalign", "free",
        ]

        @Test func itLinksTheSystemLibrariesAndNothingElse() throws {
            let allowed = [
                "linux-vdso.so", "libc.so", "libm.so", "libstdc++.so", "libgcc_s.so", "ld-linux",
                "libpthread.so", "libdl.so",
            ]
            let listed = try run("ldd", [Edge.binary])
            #expect(listed.succeeded, "\(listed.everything)")
            for line in listed.output.split(separator: "\n") {
                #expect(allowed.contains { line.contains($0) }, "an unexpected library: \(line)")
            }
        }

        @Test func itContainsNoFoundation() throws {
            let dynamic = try run("readelf", ["--dynamic", Edge.binary])
            #expect(!dynamic.output.contains("Foundation"), "\(dynamic.output)")
            let symbols = try run("nm", [Edge.binary])
            #expect(symbols.succeeded)
            let found = symbols.output.split(separator: "\n").filter { $0.contains("10Foundation") }
            #expect(found.isEmpty, "\(found.prefix(5))")
        }

        @Test func hotFunctionsNeitherCountReferencesNorAllocate() throws {
            let disassembly = try Disassembly(of: Edge.binary, modules: ["DataPlane", "Linux", "Wire"])
            for part in Self.hotFunctions {
                let functions = disassembly.functions.filter { $0.name.contains(part) }
                #expect(!functions.isEmpty, "no function is called '\(part)' any more")
                for function in functions {
                    let called = try Set(disassembly.callees(of: function)).intersection(Self.forbidden)
                    #expect(called.isEmpty, "\(function.name) calls \(called.sorted())")
                }
            }
        }
    }
}
