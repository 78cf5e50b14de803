import Foundation

/// The checkout that this test was compiled from.
enum Repository {
  struct Source {
    /// The target that it belongs to.
    let room: String
    /// Its path from the root of the checkout.
    let path: String
    let text: String
    /// The text without comments and literals; empty for generated code, whose words nobody chose.
    let code: String
    /// The modules that it imports.
    let imports: [String]
    /// Whether a tool wrote it.
    let isGenerated: Bool

    init(room: String, path: String, text: String) {
      self.room = room
      self.path = path
      self.text = text
      isGenerated = path.hasSuffix(".pb.swift")
      code = isGenerated ? "" : SwiftText.code(of: text)
      imports = SwiftText.imports(ofCode: isGenerated ? text : code)
    }
  }

  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static func manifest() throws -> String {
    try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
  }

  /// Every Swift file under `Sources`, in order of its path; read once.
  static func sources() throws -> [Source] { try contents.get() }

  private static let contents = Result { try read() }

  private static func read() throws -> [Source] {
    // The directory may be a link, which an enumeration doesn't follow.
    let base = root.appending(path: "Sources").resolvingSymlinksInPath()
    let paths = try FileManager.default.subpathsOfDirectory(atPath: base.path())
    return try paths.filter { $0.hasSuffix(".swift") }.sorted().map { path in
      Source(
        room: String(path.prefix { $0 != "/" }), path: "Sources/" + path,
        text: try String(contentsOf: base.appending(path: path), encoding: .utf8))
    }
  }
}
