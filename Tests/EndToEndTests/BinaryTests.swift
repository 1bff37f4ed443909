import Support
import Testing

extension EndToEnd {
    /// What is in the release binary, and what is not.
    @Suite struct Binary {
        /// One turn of a worker's loop, with each backend: everything that runs for a
        /// session is below it. A name that matches nothing is a failure, so that the list cannot rot.
        private static let hotRoots = [
            ["generic specialization <DataPlane.EpollBackend>", "Worker<", ".turn()"],
            ["generic specialization <DataPlane.RingBackend>", "Worker<", ".turn()"],
        ]

        /// Functions below it that run once a reload or an upgrade, not once a session or an event.
        private static let cold = ["readMailbox", "stepHandOver"]

        /// What must not be called there: reference counting, exclusivity checks, allocation.
        private static let forbidden: Set<Substring> = [
            "swift_retain", "swift_release", "swift_retain_n", "swift_release_n", "swift_bridgeObjectRetain",
            "swift_bridgeObjectRelease", "swift_beginAccess", "swift_allocObject", "swift_slowAlloc",
            "swift_slowDealloc", "swift_once", "malloc", "calloc", "realloc", "posix_memalign", "free",
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

        @Test func theRelayPathNeitherCountsReferencesNorAllocates() throws {
            let graph = try CallGraph(of: Edge.binary, modules: ["DataPlane", "Linux", "Wire", "Routes"])
            // The instrument itself: what builds a configuration does allocate.
            let loading = graph.functions(named: ["Routes."])
            #expect(loading.contains { !graph.callees(of: $0).isDisjoint(with: Self.forbidden) })

            for parts in Self.hotRoots {
                let roots = graph.functions(named: parts)
                try #require(!roots.isEmpty, "no function is called \(parts) any more")
                let reachable = graph.reachable(from: roots, stoppingAt: Self.cold)
                #expect(reachable.count > 50, "\(reachable.count) functions are no whole relay path")
                for (function, path) in reachable {
                    let called = graph.callees(of: function).intersection(Self.forbidden)
                    let way = path.map(graph.readableName).joined(separator: "\n  ")
                    #expect(called.isEmpty, "\(called.sorted()) by way of\n  \(way)")
                }
            }
        }
    }
}
