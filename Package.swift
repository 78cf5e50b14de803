// swift-tools-version: 6.2
import PackageDescription

// The rooms of the house, bottom first: a target imports only targets above it (DESIGN: "Rooms").
// `Tests/ArchitectureTests` holds this list against the imports in the sources.

// A release is optimised across targets, and does without the checks at run time that the tests have passed under
// (kv-decisions(7)).
// The program is linked for a fixed place in memory: one that can be moved has its 70,000 pointers put right, and the
// 700 pages that hold them copied, at every start, which is half of the time of a short command. Nor does it offer its
// 27,000 symbols to libraries, none of which wants one: what looks an address up there would go through all of them.
let atItsPlace = LinkerSetting.unsafeFlags(
  ["-Xclang-linker", "-no-pie", "-Xlinker", "--no-export-dynamic"], .when(configuration: .release))
// A program with a static Swift library has the C++ library in it as well.
let staticCxx = LinkerSetting.unsafeFlags(
  ["-L\(Context.packageDirectory)/Sources/kv/Linking", "-Xclang-linker", "-static-libgcc"],
  .when(configuration: .release))

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6), .treatAllWarnings(as: .error),
  .unsafeFlags(["-cross-module-optimization", "-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "kv",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
  ],
  targets: [
    .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "CShims"),
    .target(name: "Bytes", dependencies: ["CShims"], swiftSettings: strict),
    .target(name: "Environment", dependencies: ["Bytes"], swiftSettings: strict),
    .target(
      name: "Wire", dependencies: ["Bytes", protobuf], exclude: ["proto", "generate.sh"], swiftSettings: strict),
    .target(name: "HashRing", dependencies: ["Bytes"], swiftSettings: strict),
    .target(name: "Merkle", dependencies: ["COpenSSL"], swiftSettings: strict),
    .target(name: "Raft", dependencies: ["Bytes"], swiftSettings: strict),
    .target(name: "Log", dependencies: ["Bytes", "Environment"], swiftSettings: strict),
    .target(name: "Table", dependencies: ["Bytes", "Environment"], swiftSettings: strict),
    .target(name: "Store", dependencies: ["Bytes", "Environment", "Merkle", "Table"], swiftSettings: strict),
    .target(name: "TLS", dependencies: ["COpenSSL", "CShims", "Bytes"], swiftSettings: strict),
    .target(
      name: "Snapshot", dependencies: ["Bytes", "Environment", "Merkle", "Table", "TLS"], swiftSettings: strict),
    .target(name: "Transport", dependencies: ["Bytes", "TLS", logging] + nio, swiftSettings: strict),
    .target(name: "Client", dependencies: ["Bytes", "HashRing", "TLS", "Wire"], swiftSettings: strict),
    .target(
      name: "Node",
      dependencies: ["Bytes", "Environment", "HashRing", "Log", "Merkle", "Raft", "Store", "Table", "Wire"],
      swiftSettings: strict),
    .target(
      name: "Server",
      dependencies: ["Bytes", "Client", "Environment", "Node", "Snapshot", "TLS", "Transport", "Wire", logging] + nio,
      swiftSettings: strict),
    .target(
      name: "Commands",
      dependencies: [
        "Bytes", "CShims", "Client", "Environment", "Log", "Merkle", "Node", "Server", "Snapshot", "Store", "Table",
        "TLS", "Wire", logging, argumentParser,
      ], swiftSettings: strict),
    // Linked into programs alone, it replaces the system's allocator in those and in nothing else (kv-decisions(7)).
    .executableTarget(
      name: "kv", dependencies: ["Commands"], exclude: ["Linking"], swiftSettings: strict,
      linkerSettings: [.linkedLibrary("mimalloc"), atItsPlace, staticCxx]),
    .target(
      name: "Simulation",
      dependencies: ["Bytes", "Environment", "HashRing", "Log", "Node", "Raft", "Store", "Wire"], swiftSettings: strict),
    .executableTarget(
      name: "simulate", dependencies: ["Simulation"], swiftSettings: strict,
      linkerSettings: [.linkedLibrary("mimalloc")]),
    .testTarget(name: "ArchitectureTests", swiftSettings: strict),
    .testTarget(name: "BytesTests", dependencies: ["Bytes"], swiftSettings: strict),
    .testTarget(name: "EnvironmentTests", dependencies: ["Bytes", "Environment"], swiftSettings: strict),
    .testTarget(name: "HashRingTests", dependencies: ["Bytes", "HashRing"], swiftSettings: strict),
    .testTarget(name: "MerkleTests", dependencies: ["Bytes", "Merkle"], swiftSettings: strict),
    .testTarget(name: "RaftTests", dependencies: ["Bytes", "Raft"], swiftSettings: strict),
    .testTarget(name: "LogTests", dependencies: ["Bytes", "Environment", "Log", "Simulation"], swiftSettings: strict),
    .testTarget(
      name: "SimulationTests", dependencies: ["Bytes", "Environment", "Simulation"], swiftSettings: strict),
    .testTarget(
      name: "TableTests", dependencies: ["Bytes", "Environment", "Simulation", "Table"], swiftSettings: strict),
    .testTarget(
      name: "StoreTests", dependencies: ["Bytes", "Environment", "Log", "Merkle", "Simulation", "Store", "Table"],
      swiftSettings: strict),
    .testTarget(
      name: "FormatTests", dependencies: ["Bytes", "Environment", "Log", "Simulation", "Snapshot", "Store", "Table"],
      exclude: ["fixtures"], swiftSettings: strict),
    .testTarget(
      name: "NodeTests", dependencies: ["Bytes", "Environment", "Node", "Raft", "Simulation", "Wire"],
      swiftSettings: strict),
    .testTarget(name: "TLSTests", dependencies: ["Bytes", "COpenSSL", "TLS"], swiftSettings: strict),
    .testTarget(
      name: "SnapshotTests",
      dependencies: ["Bytes", "Environment", "Merkle", "Simulation", "Snapshot", "Store", "Table", "TLS"],
      swiftSettings: strict),
    .testTarget(
      name: "TransportTests",
      dependencies: ["Bytes", "TLS", "Transport", logging, .product(name: "NIOEmbedded", package: "swift-nio")] + nio,
      swiftSettings: strict),
    .testTarget(
      name: "ClientTests", dependencies: ["Bytes", "Client", "HashRing", "TLS", "Wire"], swiftSettings: strict),
    .testTarget(name: "ServerTests", dependencies: ["Bytes", "Node", "Server"], swiftSettings: strict),
    .testTarget(
      name: "CommandTests",
      dependencies: ["Bytes", "Client", "Commands", "HashRing", "Simulation", "TLS", "Wire", "kv"],
      exclude: ["scripts"], swiftSettings: strict),
  ]
)
