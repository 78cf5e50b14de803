import FoundationEssentials
import Testing

@testable import Commands

@Suite("Manual pages")
struct ManualTests {
  private static let directory = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../man").standardized

  /// The names of all commands but `help`, which the parser adds.
  static var names: [String] {
    KVCommand.configuration.subcommands.compactMap { $0.configuration.commandName }
  }

  @Test("Every command's page has exactly the options that the command takes", arguments: names)
  func options(name: String) throws {
    let page = try Self.page("kv-\(name).1")
    let items = page.split(separator: "\n").filter { $0.hasPrefix(".It Fl") || $0.hasPrefix(".It Fl Fl") }
    let documented = Set(items.flatMap(Self.options(inItem:)))
    #expect(documented == Set(CommandDescription.named(name).flatMap(\.options)))
  }

  @Test("The pages of all commands have all sections, and name exit codes of the contract alone")
  func sections() throws {
    let meanings = Set(ExitCode.allCases.map { "\($0.rawValue) \($0.meaning)" })
    for name in ["kv"] + Self.names.map({ "kv-\($0)" }) {
      let page = try Self.page("\(name).1")
      for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
        #expect(page.contains("\n.Sh \(section)\n"), "\(name) has no section \(section)")
      }
      let listed = try #require(Self.exitItems(page), "\(name)")
      #expect(Set(listed).isSubset(of: meanings), "\(name)")
    }
  }

  @Test("kv(1) and kv-exit(7) have every exit code, and kv(1) every command")
  func everyCode() throws {
    let page = try Self.page("kv.1")
    #expect(Self.exitItems(page) == ExitCode.allCases.map { "\($0.rawValue) \($0.meaning)" })
    let explained = try Self.page("kv-exit.7").split(separator: "\n").filter { $0.hasPrefix(".It ") }.map {
      $0.dropFirst(4)
    }
    #expect(explained.map(String.init) == ExitCode.allCases.map { "\($0.rawValue)" })
    for name in Self.names { #expect(page.contains(".It Xr kv-\(name) 1\n")) }
  }

  @Test("Every page of kv that another one names exists")
  func references() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.directory.path)
    for file in files where file.hasPrefix("kv") {
      for line in try Self.page(file).split(separator: "\n") where line.contains("Xr kv") {
        let words = line.split(separator: " ")
        let place = try #require(words.firstIndex(of: "Xr") ?? words.firstIndex(of: ".Xr"))
        #expect(files.contains("\(words[place + 1]).\(words[place + 2])"), "\(file): \(line)")
      }
    }
  }

  @Test("No example writes what a read printed that may have failed")
  func safeExamples() throws {
    for file in try FileManager.default.contentsOfDirectory(atPath: Self.directory.path) where file.hasPrefix("kv") {
      for line in try Self.page(file).split(separator: "\n") where line.contains("| kv put") {
        #expect(!line.contains("kv get"), "\(file): \(line)")
      }
    }
  }

  private static func page(_ name: String) throws -> String {
    try String(contentsOf: directory.appending(path: name), encoding: .utf8)
  }

  /// `.It Fl q , Fl Fl quiet` names -q and --quiet.
  private static func options(inItem item: Substring) -> [String] {
    item.dropFirst(4).split(separator: ",").compactMap { part in
      let words = part.split(separator: " ")
      let dashes = words.prefix { $0 == "Fl" }.count
      return dashes < words.count ? String(repeating: "-", count: dashes) + words[dashes] : nil
    }
  }

  /// The codes and meanings of the section EXIT STATUS.
  private static func exitItems(_ page: String) -> [String]? {
    guard let start = page.firstRange(of: "\n.Sh EXIT STATUS\n"),
      let end = page[start.upperBound...].firstRange(of: "\n.El\n")
    else { return nil }
    let lines = page[start.upperBound..<end.lowerBound].split(separator: "\n").dropFirst()
    return stride(from: lines.startIndex, to: lines.endIndex - 1, by: 2).map { index in
      "\(lines[index].dropFirst(4)) \(lines[index + 1])"
    }
  }
}
