// swift-tools-version: 6.2
import PackageDescription

// The rooms of the house, bottom first: a target imports only targets above it (DESIGN: "Rooms").
// `Tests/ArchitectureTests` holds this list against the imports in the sources.

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

let package = Package(
  name: "kv",
  dependencies: [
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
  ],
  targets: [
    .target(name: "CShims"),
    .target(name: "Bytes", dependencies: ["CShims"], swiftSettings: strict),
    .target(name: "Environment", dependencies: ["Bytes"], swiftSettings: strict),
    .target(
      name: "Wire",
      dependencies: ["Bytes", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
      exclude: ["proto", "generate.sh"],
      swiftSettings: strict),
    .testTarget(name: "BytesTests", dependencies: ["Bytes"], swiftSettings: strict),
  ]
)
