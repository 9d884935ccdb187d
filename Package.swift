// swift-tools-version:6.1
import PackageDescription

let package = Package(
    name: "zxbackup",
    products: [
        .library(name: "RedoLog", targets: ["RedoLog"]),
        .library(name: "BackupStore", targets: ["BackupStore"]),
        .library(name: "BackupStoreTesting", targets: ["BackupStoreTesting"]),
        .library(name: "BackupCore", targets: ["BackupCore"]),
        .library(name: "SandboxServer", targets: ["SandboxServer"]),
        .library(name: "ZimbraServer", targets: ["ZimbraServer"]),
        .executable(name: "zxbackup", targets: ["zxbackup"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // The system's libraries.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLibcrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLibisal", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
        .systemLibrary(name: "CLibdeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
        .systemLibrary(name: "CGMime", providers: [.apt(["libgmime-3.0-dev"])]),
        .systemLibrary(name: "CMariaDB", pkgConfig: "libmariadb", providers: [.apt(["libmariadb-dev"])]),
        .systemLibrary(name: "CLibcurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CLDAP", providers: [.apt(["libldap-dev"])]),
        .target(name: "CShims", dependencies: ["CLibisal", "CZlib"]),

        // The product, in the order of its imports (Documentation/Design.md, section 3).
        .target(
            name: "RedoLog",
            dependencies: ["CShims", "CZlib", "CLibcrypto", .product(name: "SystemPackage", package: "swift-system")]),
        .target(
            name: "BackupStore",
            dependencies: [
                "CShims", "CZlib", "CLibcrypto", "CLibisal", "CLibdeflate", .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),
        .target(
            name: "BackupStoreTesting",
            dependencies: ["BackupStore", .product(name: "SystemPackage", package: "swift-system")]),
        .target(
            name: "BackupCore",
            dependencies: [
                "RedoLog", "BackupStore", "CGMime", "CShims", "CZlib", "CLibcrypto", .product(name: "Logging", package: "swift-log"),
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .target(
            name: "SandboxServer",
            dependencies: [
                "BackupCore", "RedoLog", "CZlib", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .target(
            name: "ZimbraServer",
            dependencies: [
                "BackupCore", "RedoLog", "CMariaDB", "CLDAP", .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .executableTarget(
            name: "zxbackup",
            dependencies: [
                "SandboxServer", "ZimbraServer", "BackupCore", "BackupStore", "RedoLog", "CLibcurl", "Yams",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"), .product(name: "SystemPackage", package: "swift-system"),
            ]),

        // Small programs that show a beginning; built with everything else.
        .executableTarget(name: "Demo", dependencies: ["BackupCore", "SandboxServer"], path: "Examples/Demo"),
        .executableTarget(name: "ReadRedoLog", dependencies: ["RedoLog"], path: "Examples/ReadRedoLog"),
        .executableTarget(
            name: "EmbedEngine", dependencies: ["BackupCore", "SandboxServer"], path: "Examples/EmbedEngine"),
        .executableTarget(
            name: "ScenarioHarness", dependencies: ["BackupCore", "SandboxServer"], path: "Examples/ScenarioHarness"),

        // Measurements, run by hand (Benchmarks/README.md).
        .executableTarget(
            name: "FollowLatency", dependencies: ["BackupCore", "SandboxServer"], path: "Benchmarks/FollowLatency"),
        .executableTarget(
            name: "Bench", dependencies: ["SandboxServer", .product(name: "SystemPackage", package: "swift-system")], path: "Benchmarks/Bench"),
        .executableTarget(
            name: "Searches",
            dependencies: ["BackupStoreTesting", .product(name: "SystemPackage", package: "swift-system")],
            path: "Benchmarks/Searches"),
        .executableTarget(
            name: "Deliveries",
            dependencies: ["SandboxServer", .product(name: "SystemPackage", package: "swift-system")],
            path: "Benchmarks/Deliveries"),
        .executableTarget(name: "Lives", dependencies: ["LifeChecks"], path: "Benchmarks/Lives"),

        // What the tests and `make lives` share.
        .target(
            name: "LifeChecks", dependencies: ["BackupCore", "BackupStore", "BackupStoreTesting", "SandboxServer"],
            path: "Tests/LifeChecks"),
        .target(
            name: "ServerTestbed",
            dependencies: [
                "ZimbraServer", "BackupCore", "BackupStore", "SandboxServer", .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/ServerTestbed"),
        .executableTarget(
            name: "Testbed",
            dependencies: ["ServerTestbed", "BackupCore", "SandboxServer", .product(name: "SystemPackage", package: "swift-system")],
            path: "Benchmarks/Testbed"),
        .executableTarget(
            name: "Conformance",
            dependencies: ["BackupCore", "SandboxServer", .product(name: "SystemPackage", package: "swift-system")],
            path: "Benchmarks/Conformance"),
        .executableTarget(
            name: "RedoLogGenerator",
            dependencies: ["RedoLog", "CLibcrypto", .product(name: "SystemPackage", package: "swift-system")],
            path: "Benchmarks/RedoLogGenerator"),

        .testTarget(
            name: "RedoLogTests", dependencies: ["RedoLog"], exclude: ["Fixtures"]),
        .testTarget(name: "BackupStoreTests", dependencies: ["BackupStore", "BackupStoreTesting"]),
        .testTarget(
            name: "BackupCoreTests",
            dependencies: ["BackupCore", "SandboxServer", "LifeChecks", "CZlib", .product(name: "GRDB", package: "GRDB.swift")],
            exclude: ["Fixtures"]),
        .testTarget(
            name: "SandboxServerTests", dependencies: ["SandboxServer", "BackupCore", "BackupStore", "RedoLog"], exclude: ["Fixtures"]),
        .testTarget(name: "ZimbraServerTests", dependencies: ["ZimbraServer", "ServerTestbed", "SandboxServer", "BackupCore", "BackupStore"]),
        .testTarget(
            name: "ZxbackupTests", dependencies: ["zxbackup", "SandboxServer", "BackupCore", "ServerTestbed"], exclude: ["Snapshots"]),
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "RedoLog", "BackupStore", "BackupStoreTesting", "BackupCore", "zxbackup", "CZlib",
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)

// A fuzzing build has sanitizers in everything (Scripts/fuzz): only what it needs.
if Context.environment["ZXBACKUP_FUZZ"] != nil {
    package.targets.removeAll {
        $0.type == .test && $0.name != "FuzzTests" || $0.type == .executable && $0.name != "zxbackup"
            || ["LifeChecks", "ServerTestbed"].contains($0.name)
    }
}
