import Testing

/// The checks of the architecture can fail: what they look for is found where it is.
@Suite struct CheckerTests {
  @Test("imports are found in all their forms, and nowhere else")
  func imports() {
    let source = """
      import Bytes
      public import Raft;import Log
      @testable import Store
      @preconcurrency internal import NIOCore // import Comment
      import struct Wire.Frame
        private import CShims
      // import Commented
      /* import Blocked /* import Nested */
      import StillBlocked */
      let text = "import Text"
      let long = \"""
        import Literal
        \"""
      let raw = #"\\"import Raw"#
      func important() { let imported = 1 }
      """
    #expect(SwiftText.imports(of: source) == ["Bytes", "CShims", "Log", "NIOCore", "Raft", "Store", "Wire"])
  }

  @Test("code is told from comments and literals, line by line")
  func code() {
    let source = """
      // try! in a comment
      let text = "try! in \\" a literal" // and fatalError( behind it
      let value = try! load("x")
      let raw = ##"a "# try! "##; fatalError("no")
      #if os(Linux)
      """
    let code = SwiftText.code(of: source)
    #expect(SwiftText.lines(of: "try!", in: code) == [3])
    #expect(SwiftText.lines(of: "fatalError(", in: code) == [4])
    #expect(SwiftText.lines(of: "#if os(Linux)", in: code) == [5])
    #expect(SwiftText.lines(of: "try!", in: source) == [1, 2, 3, 4])
  }

  @Test("lines are counted with or without a newline at the end")
  func lineCount() {
    #expect(SwiftText.lineCount(of: "") == 0)
    #expect(SwiftText.lineCount(of: "a") == 1)
    #expect(SwiftText.lineCount(of: "a\n") == 1)
    #expect(SwiftText.lineCount(of: "a\n\nb\n") == 3)
  }

  @Test("targets are read from a manifest with their dependencies")
  func manifest() {
    let manifest = """
      let package = Package(name: "kv", dependencies: [.package(url: "https://x", from: "1.0.0")], targets: [
        .systemLibrary(name: "COpenSSL"),
        .target(name: "Bytes", dependencies: ["CShims"], swiftSettings: strict),
        .target(
          name: "Wire",
          dependencies: ["Bytes", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
          exclude: ["proto"]),
        .executableTarget(name: "kv", dependencies: ["Commands"]),
        .testTarget(name: "BytesTests", dependencies: ["Bytes"]),
      ])
      """
    #expect(
      Manifest.targets(of: manifest) == [
        Manifest.Target(kind: "target", name: "Bytes", dependencies: ["CShims"]),
        Manifest.Target(kind: "target", name: "Wire", dependencies: ["Bytes", "SwiftProtobuf"]),
        Manifest.Target(kind: "executableTarget", name: "kv", dependencies: ["Commands"]),
        Manifest.Target(kind: "testTarget", name: "BytesTests", dependencies: ["Bytes"]),
        Manifest.Target(kind: "systemLibrary", name: "COpenSSL", dependencies: []),
      ])
  }

  @Test("the table forbids what it does not name")
  func table() {
    #expect(Rooms.forbidden(["Bytes", "Glibc", "Synchronization"], in: "Raft").isEmpty)
    #expect(Rooms.forbidden(["Environment", "Foundation"], in: "Raft") == ["Environment", "Foundation"])
    #expect(Rooms.forbidden(["Bytes", "Environment", "Table"], in: "Store").isEmpty)
    #expect(Rooms.forbidden(["Client", "NIOCore"], in: "Node") == ["Client", "NIOCore"])
    #expect(Rooms.forbidden(["COpenSSL", "Bytes"], in: "Transport") == ["COpenSSL"])
    #expect(Rooms.forbidden(["NIOCore", "NIOPosix"], in: "Transport").isEmpty)
    #expect(Rooms.forbidden(["Bytes"], in: "Unknown") == ["Bytes"])
  }

  @Test("a cycle is found and named")
  func cycle() {
    #expect(Rooms.cycle(in: ["A": ["B"], "B": ["C"], "C": ["B"]]) == ["B", "C", "B"])
    #expect(Rooms.cycle(in: ["A": ["A"]]) == ["A", "A"])
    #expect(Rooms.cycle(in: ["A": ["B", "C"], "B": ["C"], "C": []]) == nil)
  }
}
