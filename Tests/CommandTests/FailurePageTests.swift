import FoundationEssentials
import Testing

@Suite("kv-failures(7)")
struct FailurePageTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

  @Test("Every failure says what is seen, done and to do, and names tests that exist")
  func rows() throws {
    let page = try String(contentsOf: Self.root.appending(path: "man/kv-failures.7"), encoding: .utf8)
    let rows = page.split(separator: "\n.It Sy ").dropFirst()
    #expect(rows.count >= 30)
    for row in rows {
      let lines = row.split(separator: "\n")
      for part in [".Em Seen :", ".Em Done :", ".Em To do :", ".Em Shown by :"] {
        #expect(lines.contains(Substring(part)), "\(lines[0]): no \(part)")
      }
      let tests = lines.filter { $0.hasPrefix(".Pa Tests/") }.map { $0.split(separator: " ")[1] }
      #expect(!tests.isEmpty, "\(lines[0])")
      for test in tests {
        #expect(FileManager.default.fileExists(atPath: Self.root.appending(path: String(test)).path), "\(test)")
      }
    }
  }
}
