import Testing

@Suite struct ArchitectureTests {
  @Test("every room imports only rooms that the table allows it")
  func imports() throws {
    let sources = try Repository.sources()
    #expect(sources.count > 10)
    for source in sources {
      let forbidden = Rooms.forbidden(source.imports, in: source.room)
        .filter { !(source.isGenerated && $0 == "Foundation") }
      #expect(forbidden.isEmpty, "\(source.path) must not import \(forbidden.joined(separator: ", "))")
    }
  }

  @Test("every room is in the table, and every target depends only on what the table allows it")
  func manifest() throws {
    let targets = Manifest.targets(of: try Repository.manifest()).filter { $0.kind != "testTarget" }
    #expect(targets.count >= 3)
    for target in targets {
      #expect(Rooms.names.contains(target.name), "target \(target.name) is not in the table")
      let forbidden = Rooms.forbidden(target.dependencies, in: target.name)
      #expect(forbidden.isEmpty, "target \(target.name) must not depend on \(forbidden.joined(separator: ", "))")
    }
    for room in Set(try Repository.sources().map(\.room)) {
      #expect(Rooms.names.contains(room), "Sources/\(room) is not in the table")
    }
  }

  @Test("imports go one way: no room reaches itself")
  func cycles() throws {
    let sources = try Repository.sources()
    let edges = Dictionary(grouping: sources, by: \.room).mapValues { files in
      Set(files.flatMap(\.imports)).intersection(Rooms.names).sorted()
    }
    #expect(Rooms.cycle(in: edges) == nil)
    #expect(Rooms.cycle(in: Dictionary(uniqueKeysWithValues: Rooms.table.map { ($0.name, $0.builtOn) })) == nil)
  }

  @Test("no file has more than 400 lines")
  func length() throws {
    for source in try Repository.sources() where !source.isGenerated {
      let count = SwiftText.lineCount(of: source.text)
      #expect(count <= 400, "\(source.path) has \(count) lines")
    }
  }

  @Test("Foundation is imported by generated code alone")
  func foundation() throws {
    for source in try Repository.sources() where !source.isGenerated {
      #expect(!source.imports.contains("Foundation"), "\(source.path) imports Foundation")
    }
  }

  @Test("no forced try, no fatalError, nothing left to do", arguments: ["try!", "fatalError(", "TODO", "FIXME"])
  func words(word: String) throws {
    for source in try Repository.sources() where !source.isGenerated {
      let isComment = word == "TODO" || word == "FIXME"
      let lines = SwiftText.lines(of: word, in: isComment ? source.text : source.code)
      #expect(lines.isEmpty, "\(source.path) has \(word) on line \(lines.map(String.init).joined(separator: ", "))")
    }
  }
}
