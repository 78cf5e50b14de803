import Bytes
import Glibc
import Testing

@testable import Client

@Suite struct ClusterFileTests {
  private static let file = ClusterFile(
    cluster: "c1", addresses: ["127.0.0.1:4711", "[::1]:4712", "node-3.example:4713"], authority: [1, 2, 3],
    certificate: Array(0...255), privateKey: [9, 8, 7, 6])

  private static func parse(_ text: String) throws(ClusterFileError) -> ClusterFile {
    try ClusterFile(parsing: Array(text.utf8), path: "f.kv")
  }

  @Test("a file's text is read back")
  func roundTrip() throws {
    #expect(try Self.parse(Self.file.text) == Self.file)
    #expect(Self.file.text.hasPrefix("kv cluster file, version 1\ncluster c1\naddress 127.0.0.1:4711\n"))
  }

  @Test("the authorities before are kept in their order, and there need be none")
  func pastAuthorities() throws {
    let file = ClusterFile(
      cluster: "c1", addresses: ["h:1"], authority: [1], pastAuthorities: [[2], [3]], certificate: [4],
      privateKey: [5])
    #expect(try Self.parse(file.text) == file)
    #expect(Self.file.pastAuthorities.isEmpty && !Self.file.text.contains("past"))
  }

  @Test("empty lines, comments, CRLF and a missing last newline are allowed")
  func tolerance() throws {
    let text = Self.file.text.replacingNewlines(with: "\r\n# a comment\r\n\r\n")
    #expect(try Self.parse(text) == Self.file)
    #expect(try Self.parse(String(Self.file.text.dropLast())) == Self.file)
  }

  struct Wrong: Sendable, CustomTestStringConvertible {
    let text: String
    let line: Int
    let expected: String
    var testDescription: String { "line \(line): \(expected)" }
  }

  static let wrong: [Wrong] = [
    Wrong(text: "", line: 1, expected: "'kv cluster file, version 1'"),
    Wrong(text: "kv cluster file, version 2\n", line: 1, expected: "'kv cluster file, version 1'"),
    Wrong(text: file.text.replacing("cluster c1\n", ""), line: 0, expected: "a line 'cluster …'"),
    Wrong(text: file.text.replacing("cluster c1", "cluster c/1"), line: 2, expected: "a cluster's name"),
    Wrong(text: file.text.replacing("cluster c1", "cluster c1\ncluster c1"), line: 3, expected: "one line 'cluster'"),
    Wrong(text: file.text.replacing("cluster c1", "cluster"), line: 2, expected: "a name, a space and a value"),
    Wrong(text: file.text.replacing(":4711", ""), line: 3, expected: "HOST:PORT"),
    Wrong(text: file.text.replacing(":4711", ":0"), line: 3, expected: "HOST:PORT"),
    Wrong(text: file.text.replacing(":4711", ":65536"), line: 3, expected: "HOST:PORT"),
    Wrong(text: file.text.replacing("[::1]", "::1"), line: 4, expected: "HOST:PORT"),
    Wrong(text: file.text.replacing("AQID", "AQI"), line: 6, expected: "base64"),
    Wrong(text: file.text.replacing("AQID", "AQ=D"), line: 6, expected: "base64"),
    Wrong(text: file.text.replacing("authority AQID", "authority "), line: 6, expected: "base64"),
    Wrong(
      text: file.text + "colour red\n", line: 9,
      expected: "cluster, address, authority, past-authority, certificate or key"),
    Wrong(text: file.text + "past-authority ?\n", line: 9, expected: "base64"),
    Wrong(text: "kv cluster file, version 1\ncluster c\n", line: 0, expected: "a line 'address …'"),
  ]

  @Test("anything else is refused with file, line and what was expected", arguments: wrong)
  func malformed(_ wrong: Wrong) {
    let error = #expect(throws: ClusterFileError.self) { try Self.parse(wrong.text) }
    guard case .malformed("f.kv", wrong.line, wrong.expected, _) = error else {
      Issue.record("found \(String(describing: error))")
      return
    }
    #expect(error?.exitCode == 78)
  }

  @Test("what is left of a private key is never repeated in an error")
  func secrecy() {
    let error = #expect(throws: ClusterFileError.self) {
      try Self.parse(Self.file.text.replacing("key CQgHBg==", "key CQgHBg==SECRET"))
    }
    #expect(error?.description.contains("SECRET") == false)
    #expect(!"\(Self.file)".contains("9, 8, 7"))
  }

  @Test("a file that is too long is refused; any bytes are refused or read, never a crash")
  func hostile() {
    #expect(throws: ClusterFileError.self) { try Self.parse(String(repeating: "#\n", count: 200_000)) }
    var random = SplitMix64(seed: 11)
    for _ in 0..<300 {
      var bytes = Array(Self.file.text.utf8)
      for _ in 0..<3 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random) }
      _ = try? ClusterFile(parsing: bytes, path: "f.kv")
    }
  }
}

@Suite struct LocationTests {
  private let directory = TestDirectory()

  @Test("an explicit file comes before the environment, that before the user's directory")
  func order() throws {
    let (a, b, c) = (directory.file("a"), directory.file("b"), directory.file("kv/cluster"))
    let environment = ["KV_CLUSTER": b, "XDG_CONFIG_HOME": directory.path]
    #expect(try ClusterFile.locate(explicit: a, environment: environment) == a)
    #expect(try ClusterFile.locate(explicit: nil, environment: environment) == b)
    #expect(try ClusterFile.locate(explicit: nil, environment: ["XDG_CONFIG_HOME": directory.path]) == c)
    let empty = ["KV_CLUSTER": "", "XDG_CONFIG_HOME": directory.path]
    #expect(try ClusterFile.locate(explicit: nil, environment: empty) == c)
    let home = directory.file("home/.config/kv/cluster")
    #expect(try ClusterFile.locate(explicit: nil, environment: ["HOME": directory.path + "/home"]) == home)
    // A relative base directory is ignored.
    #expect(
      try ClusterFile.locate(
        explicit: nil, environment: ["XDG_CONFIG_HOME": "home/.config", "HOME": directory.path + "/home"]) == home)
  }

  @Test("a named file that is missing is an error, never passed over, even where others exist")
  func missing() {
    let existing = directory.file("a")
    let absent = directory.path + "/absent"
    for (explicit, environment) in [
      (absent, ["KV_CLUSTER": existing]), ("", ["KV_CLUSTER": existing]), (nil, ["KV_CLUSTER": absent]),
    ] as [(String?, [String: String])] {
      let error = #expect(throws: ClusterFileError.self) {
        try ClusterFile.locate(explicit: explicit, environment: environment)
      }
      #expect(error?.exitCode == 66)
    }
  }

  @Test("load reads a file, and says what is wrong with it")
  func load() throws {
    let error = #expect(throws: ClusterFileError.self) { try ClusterFile.load(directory.path + "/absent") }
    #expect(error?.exitCode == 66)
    #expect(throws: ClusterFileError.self) { try ClusterFile.load(directory.path) }
    let malformed = #expect(throws: ClusterFileError.self) { try ClusterFile.load(directory.file("x")) }
    #expect(malformed?.exitCode == 78)
  }

  @Test("the state directory is the user's, one for each cluster")
  func stateDirectory() {
    let file = ClusterFile(cluster: "c1", addresses: [], authority: [], certificate: [], privateKey: [])
    #expect(file.stateDirectory(environment: ["HOME": "/h"]) == "/h/.local/state/kv/c1")
    #expect(file.stateDirectory(environment: ["HOME": "/h", "XDG_STATE_HOME": "/s"]) == "/s/kv/c1")
    #expect(file.stateDirectory(environment: [:]) == nil)
    let dots = ClusterFile(cluster: "..", addresses: [], authority: [], certificate: [], privateKey: [])
    #expect(dots.stateDirectory(environment: ["HOME": "/h"]) == nil)
  }
}

extension String {
  fileprivate func replacing(_ part: String, _ other: String) -> String {
    guard let range = firstRange(of: part) else { return self }
    return String(self[..<range.lowerBound]) + other + String(self[range.upperBound...])
  }

  fileprivate func replacingNewlines(with other: String) -> String {
    split(separator: "\n").joined(separator: other)
  }
}
