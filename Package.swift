// swift-tools-version: 6.2
import PackageDescription

/// Settings shared by every Swift target of the project.
/// - Warnings are errors: a warning that is let stand is one that nobody reads.
/// - Strict memory safety: every unsafe construct must be marked `unsafe`, so that a reviewer can search for
///   the word; the tidy tests keep it inside the folders where it belongs.
/// - The upcoming features make `any` and imports explicit; see ARCHITECTURE.md, "The house".
/// - Lifetimes: `@_lifetime`, for the few functions that return a span.
let settings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableExperimentalFeature("Lifetimes"),
]

/// Of the target `Peers`, and of its tests.
let peersDependencies: [Target.Dependency] = [
    "Linux", "YardKit",
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOTLS", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
    .product(name: "X509", package: "swift-certificates"),
    .product(name: "Crypto", package: "swift-crypto"),
    .product(name: "SwiftASN1", package: "swift-asn1"),
    .product(name: "SystemPackage", package: "swift-system"),
]

let package = Package(
    name: "switchyard",
    products: [
        .executable(name: "switchyard", targets: ["switchyard"]),
        .executable(name: "yardmaster", targets: ["yardmaster"]),
        .executable(name: "yard", targets: ["yard"]),
    ],
    dependencies: [
        // The command line of `yard`, alone. It brings help, completions and a manual's text of one source.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Reads runmes, and tells where everything stands.
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        // yardmaster: talks to the container engine, serves its own interface, keeps its state, runs
        // programs.
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
        // Between hosters: TLS, certificates, digests.
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        // C that Swift cannot import: macros, variadics, system calls that must return -errno. No logic.
        .target(name: "CLinux"),
        // The same for liburing, which goes into the binary: no shared library is needed where it runs.
        .target(name: "CUring", linkerSettings: [.unsafeFlags(["-Xlinker", "-l:liburing.a"])]),

        // Pure: nothing but the standard library.
        .target(name: "Wire", swiftSettings: settings),
        .target(name: "Routes", dependencies: ["Wire"], swiftSettings: settings),

        // The manifest of a site. Pure, but for the reader of YAML, which needs Foundation.
        .target(
            name: "Runme", dependencies: ["Routes", "Wire", .product(name: "Yams", package: "Yams")],
            swiftSettings: settings),

        // Effects.
        .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: settings),
        .target(
            name: "DataPlane", dependencies: ["Wire", "Routes", "Linux", "CLinux", "CUring"],
            exclude: ["Session/LIFECYCLE.md"], swiftSettings: settings),

        // The edge's control thread: configuration, workers, signals, log.
        .target(
            name: "Edge", dependencies: ["DataPlane", "Routes", "Wire", "Linux"], swiftSettings: settings),
        .executableTarget(
            name: "switchyard", dependencies: ["Edge", "Linux"], swiftSettings: settings,
            // The Swift run-time library goes into the binary: it starts in half the time, its process is
            // 3 MiB smaller, and it runs on a machine without Swift. Here and not as the build's flag
            // `--static-swift-stdlib`, because the tests need the dynamic library (Testing has no other).
            linkerSettings: [.unsafeFlags(["-static-stdlib"])]),

        // A migration, as two state machines. Pure: nothing but the standard library.
        .target(name: "Migration", exclude: ["LIFECYCLE.md"], swiftSettings: settings),
        // The digests of a folder, and archives of sites.
        .target(
            name: "Archive",
            dependencies: [
                "Runme", "Routes", "Linux", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ], swiftSettings: settings),
        // Other hosters: who they are, and connections with them.
        .target(name: "Peers", dependencies: peersDependencies, swiftSettings: settings),

        // What runs sites. Far from traffic: here a library does what a library can.
        .target(
            name: "Orchestrator",
            dependencies: [
                "Archive", "Migration", "Peers", "Runme", "Routes", "Wire", "Linux", "YardKit",
                .product(name: "Yams", package: "Yams"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
            ], swiftSettings: settings),
        .executableTarget(
            name: "yardmaster",
            dependencies: [
                "Orchestrator", "Routes", "Linux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ], swiftSettings: settings),

        // The operator's command. `YardKit` knows the protocol and makes texts of data; `yard` is the verbs.
        .target(
            name: "YardKit",
            dependencies: [
                "Linux", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ], swiftSettings: settings),
        .executableTarget(
            name: "yard",
            dependencies: [
                "YardKit", "Linux", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: settings,
            // As for the edge. The argument parser uses FoundationEssentials, whose parts must be named here.
            linkerSettings: [
                .unsafeFlags(
                    ["-static-stdlib"]
                        + ["_FoundationCShims", "_FoundationCollections", "swiftSynchronization"].flatMap {
                            ["-Xlinker", "-l\($0)"]
                        })
            ]),

        // Tests.
        .systemLibrary(
            name: "COpenSSL", path: "Tests/COpenSSL", pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"])]),
        .target(name: "COpenSSLOracle", dependencies: ["COpenSSL"], path: "Tests/COpenSSLOracle"),
        .target(
            name: "Support", dependencies: ["Wire", "Routes", "Linux"], path: "Tests/Support",
            swiftSettings: settings),
        .testTarget(
            name: "WireTests", dependencies: ["Wire", "Support", "COpenSSLOracle"], swiftSettings: settings),
        .testTarget(
            name: "RoutesTests", dependencies: ["Routes", "Wire", "Support"], swiftSettings: settings),
        .testTarget(
            name: "RunmeTests", dependencies: ["Runme", "Routes", "Support"], swiftSettings: settings),
        // A real container engine and images for it.
        .target(
            name: "EngineSupport", dependencies: ["Orchestrator", "Support"], path: "Tests/EngineSupport",
            swiftSettings: settings),
        .testTarget(
            name: "EngineTests", dependencies: ["Orchestrator", "EngineSupport", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "OrchestratorTests",
            dependencies: ["Orchestrator", "Migration", "Runme", "Routes", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "SiteTests",
            dependencies: [
                "Archive", "EngineSupport", "Linux", "Migration", "Orchestrator", "Peers", "Support",
                "YardKit",
                .product(name: "Crypto", package: "swift-crypto"),
            ], swiftSettings: settings),
        .testTarget(
            name: "SessionTests", dependencies: ["DataPlane", "Support"], swiftSettings: settings),
        .testTarget(
            name: "MemoryTests",
            dependencies: ["DataPlane", "Edge", "Routes", "Wire", "Linux", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "BackendContractTests", dependencies: ["DataPlane", "Wire", "Linux", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["DataPlane", "Routes", "Wire", "Linux", "CLinux", "Support"],
            swiftSettings: settings),
        // In the tests' executable alone: it takes the place of malloc there.
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .testTarget(
            name: "CostTests",
            dependencies: ["DataPlane", "Routes", "Linux", "CAllocationCounter", "Support"],
            swiftSettings: settings),
        // Rules for hostile bytes, run here with the kept corpus and by `make fuzz` under libFuzzer.
        .target(
            name: "Fuzzing", dependencies: ["Wire", "Routes", "Linux", "DataPlane", "Edge"],
            path: "Tests/Fuzzing",
            swiftSettings: settings),
        .testTarget(name: "FuzzTests", dependencies: ["Fuzzing", "Support"], swiftSettings: settings),
        .testTarget(
            name: "YardTests", dependencies: ["YardKit", "Linux", "Support"], swiftSettings: settings),
        .testTarget(
            name: "MigrationTests", dependencies: ["Migration", "Support"], swiftSettings: settings),
        .testTarget(
            name: "ArchiveTests", dependencies: ["Archive", "Runme", "Routes", "Linux", "Support"],
            swiftSettings: settings),
        .testTarget(
            name: "PeersTests", dependencies: ["Peers", "Support"] + peersDependencies,
            swiftSettings: settings),
        .testTarget(name: "TidyTests", dependencies: ["Support"], swiftSettings: settings),
        .testTarget(name: "EndToEndTests", dependencies: ["Support"], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)

// Benchmarks are targets of this package, because `package` access does not reach another one; plain builds
// skip them.
if Context.environment["SWITCHYARD_BENCHMARKS"] != nil {
    package.targets.append(
        .executableTarget(
            name: "RoutesBenchmark", dependencies: ["Routes", "Wire"], path: "Benchmarks/RoutesBenchmark",
            swiftSettings: settings))
}

// libFuzzer is linked with a flag of the whole build; `make fuzz` gives it.
if Context.environment["SWITCHYARD_FUZZ"] != nil {
    package.targets += [
        .target(name: "CFuzzer", path: "Tests/CFuzzer"),
        .executableTarget(
            name: "FuzzDriver", dependencies: ["Fuzzing", "CFuzzer"], path: "Tests/FuzzDriver",
            swiftSettings: settings),
    ]
}
