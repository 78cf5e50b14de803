// swift-tools-version: 6.2
import PackageDescription

// The rooms of the house, bottom first: a target imports only targets above it (DESIGN: "Rooms").
// `Tests/ArchitectureTests` holds this list against the imports in the sources.

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

let package = Package(
  name: "kv",
  dependencies: [],
  targets: [
    .target(name: "CShims"),
    .target(name: "Bytes", dependencies: ["CShims"], swiftSettings: strict),
    .target(name: "Environment", dependencies: ["Bytes"], swiftSettings: strict),
    .testTarget(name: "BytesTests", dependencies: ["Bytes"], swiftSettings: strict),
  ]
)
