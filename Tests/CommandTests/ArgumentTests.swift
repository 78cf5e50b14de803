import Bytes
import Client
import Testing

@testable import Commands

@Suite("Arguments")
struct ArgumentTests {
  @Test("Any bytes pass through the parser of arguments unchanged")
  func bytes() throws {
    for seed in UInt64(0)..<60 {
      var random = SplitMix64(seed: seed)
      let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 1...255, using: &random) }
      #expect(ArgumentBytes(argument: ArgumentBytes.encode(bytes)).bytes == bytes, "seed \(seed)")
      let command = try KVCommand.parseAsRoot(
        ArgumentBytes.joiningValues(["range", "--prefix", ArgumentBytes.encode(bytes)]))
      #expect((command as? RangeCommand)?.prefix?.bytes == bytes, "seed \(seed)")
    }
  }

  @Test("An accent or a newline behind an equals sign stays part of the value")
  func graphemes() throws {
    for text in ["\u{301}x", "\r\n", "=", "-q", "--json", ""] {
      let command = try KVCommand.parseAsRoot(
        ArgumentBytes.joiningValues(["range", "--prefix=\(text.isEmpty ? "" : ArgumentBytes.encode(text.utf8))"]))
      #expect((command as? RangeCommand)?.prefix?.bytes == Array(text.utf8))
    }
  }

  @Test("A value that looks like an option belongs to the option before it")
  func valuesLikeOptions() throws {
    let line = ArgumentBytes.joiningValues(["range", "--at", "-1h30m", "--prefix", "-q", "--limit", "3"])
    let command = try #require(try KVCommand.parseAsRoot(line) as? RangeCommand)
    #expect(command.at?.text == "-1h30m")
    #expect(command.prefix?.text == "-q")
    #expect(!command.global.quiet)
    #expect(ArgumentBytes.joiningValues(["get", "--", "--at", "x"]) == ["get", "--", "--at", "x"])
  }

  @Test(
    "A command made without the parser is the one that the parser makes",
    arguments: [
      ["get", "k"], ["put", "k", "v"], ["put", "k"], ["delete", "k", "l"], ["get", "help"], ["get", "k=v"],
      ["get", ArgumentBytes.encode([])], ["put", ArgumentBytes.encode([0xFF, 10]), ArgumentBytes.encode([])],
      ["--cluster", "f", "get", "k"], ["get", "--cluster", "f", "k"], ["put", "k", "v", "--cluster", "f"],
    ])
  func plainCommands(_ line: [String]) throws {
    let plain = try #require(Program.plainCommand(line))
    #expect(described(plain) == described(try KVCommand.parseAsRoot(line)))
  }

  @Test(
    "What has other options, or is wrong, is left to the parser",
    arguments: [
      [], ["get"], ["get", "k", "l"], ["get", "k", "-q"], ["put", "k", "-"], ["put", "k", "v", "w"],
      ["-q", "get", "k"], ["get", "--", "k"], ["get", "k", "--cluster"], ["get", "k", "--cluster", "-q"],
      ["get", "k", "--cluster=f"], ["get", "k", "--cluster", "f", "--cluster", "g"], ["delete"],
      ["range", "k"], ["nosuch", "k"],
    ])
  func notPlain(_ line: [String]) {
    #expect(Program.plainCommand(line) == nil)
  }

  @Test(
    "Of a command line that the parser refuses, an option or a command that there is not is named",
    arguments: [
      (["get", "t", "--rev", "5"], "unknown option '--rev'"),
      (["--cluster", "f", "get", "--prefix=a"], "unknown option '--prefix'"),
      (["snapshot", "export", "--sinec", "-1h", "f"], "unknown option '--sinec'"),
      (["put", "n", "-5"], "unknown option '-5'; what begins with a dash and is no option comes behind --"),
      (["leave", "-d", "-x", "-qx"], "unknown option '-qx'; what begins with a dash and is no option comes behind --"),
      (["set", "a", "b"], "'set' is no command of kv: kv --help lists them"),
      (["--timeout", "1s", "cert", "lst"], "'lst' is no command of kv cert: kv cert --help lists them"),
      (["get"], nil), (["get", "a", "b", "--to", "--x", "-qv"], nil), (["get", "--", "--rev"], nil), ([], nil),
      (["cert", "issue", "--role", "king", "a"], nil), (["--cluster", "f"], nil), (["bench", "-h", "foo"], nil),
    ] as [([String], String?)])
  func faults(_ line: [String], _ words: String?) {
    #expect(CommandLineFault(line).words == words)
  }

  @Test(
    "Of very many keys the parser sees few, and the command gets all of them in their order",
    arguments: [
      ([], ["--format", "tsv"], []), (["--cluster", "f"], ["--json"], []), (["-q"], ["--format", "tsv", "--"], []),
      (["--timeout", "1s"], ["--at=-5m", "--format", "json"], ["--", "-x", "--json"]),
    ] as [([String], [String], [String])])
  func manyKeys(_ before: [String], _ options: [String], _ after: [String]) throws {
    let keys = (0..<20_000).map { ArgumentBytes.encode([0xC3, 0xA9] + Array("\($0)".utf8)) }
    for name in ["get", "delete"] {
      let own = name == "get" ? options : options.filter { $0 == "--" || $0 == "--json" }
      let line = before + [name] + keys.prefix(10_000) + own + keys.dropFirst(10_000) + after
      let many = ManyKeys(line)
      #expect(many.arguments.count < 60)
      let command = try #require(many.restored(try KVCommand.parseAsRoot(many.arguments)) as? any TakesKeys)
      #expect(command.operands == (keys + after.filter { $0 != "--" }).map { ArgumentBytes(argument: $0) })
    }
  }

  @Test("A line of few words, or of another command, is shown to the parser as it is")
  func fewKeys() {
    let words = (0..<100).map { "\($0)" }
    for line in [["get", "a", "b"], ["range"] + words, ["help", "get"] + words, ["get"] + words.prefix(15), []] {
      #expect(ManyKeys(line).arguments == line)
    }
  }

  @Test(
    "Of a line that asks for help, a word that is no command is named",
    arguments: [
      (["help", "nosuch"], "'nosuch' is no command of kv: kv --help lists them"),
      (["-q", "help", "cert", "lst"], "'lst' is no command of kv cert: kv cert --help lists them"),
      (["nosuch", "--help"], "'nosuch' is no command of kv: kv --help lists them"),
      (["snapshot", "-h", "exprot"], "'exprot' is no command of kv snapshot: kv snapshot --help lists them"),
      (["help"], nil), (["--help"], nil), (["help", "get"], nil), (["help", "cert", "list"], nil),
      (["help", "help"], nil),
      (["get", "-h", "k"], nil), (["cert", "--help"], nil), (["--generate-completion-script", "bash"], nil),
    ] as [([String], String?)])
  func help(_ line: [String], _ words: String?) {
    #expect(CommandLineFault.ofHelp(line) == words)
  }

  @Test(
    "An option that takes one value is given once",
    arguments: [
      (["range", "--file", "a", "--file=b"], "--file"),
      (["--cluster", "a", "get", "k", "--cluster", "b"], nil), (["get", "k", "--at", "1", "--at", "2"], "--at"),
      (["serve", "-d", "a", "--directory", "b"], "--directory"), (["leave", "-d", "a", "-d", "b"], "--directory"),
      (["verify"], nil), (["verify", "--file", "a", "--file", "b"], nil), (["get", "-q", "-q", "k"], nil),
      (["recover", "plan", "-d", "a", "--from", "b", "--from", "c"], nil), (["get", "--", "--at", "--at"], nil),
      (["repair", "--partition", "1", "--partition", "2"], nil), (["plan", "--leave", "1", "--leave", "2"], nil),
      (["serve", "--from", "a", "--from", "b"], nil), (["get", "--at=5", "--format", "tsv", "--from", "json"], nil),
    ] as [([String], String?)])
  func repeated(_ line: [String], _ option: String?) {
    #expect(RepeatedOption.words(in: line) == option.map { "\($0) is given twice: it takes one value" })
  }

  private func described(_ command: Any) -> String {
    var text = ""
    dump(command, to: &text)
    return text
  }

  @Test("Global options stand before or behind the command")
  func globalOptions() throws {
    for line in [["--cluster", "f", "-q", "get", "k"], ["get", "k", "-q", "--cluster", "f"]] {
      let command = try #require(try KVCommand.parseAsRoot(line) as? GetCommand)
      #expect(command.global.cluster?.text == "f")
      #expect(command.global.quiet)
    }
  }

  @Test(
    "A wrong command line is exit 64",
    arguments: [
      [], ["nosuch"], ["get"], ["get", "a", "b"], ["get", "k", "--wrong"], ["get", "k", "--at"],
      ["get", "k", "--at", "yesterday"], ["get", "k", "--at", "0"],
      ["get", "k", "--timeout", "5"], ["get", "k", "--timeout", "0s"], ["get", "k", "-q", "-v"],
      ["get", "k", "--at", "1", "--consistency", "eventual"], ["put"], ["put", "a", "b", "c"],
      ["put", "k", "v", "--if-absent", "--if-version", "1"], ["put", "k", "v", "--request-id", "x"],
      ["put", "--from", "keys"], ["put", "--from", "xml"], ["put", "--from", "tsv", "a", "b"],
      ["put", "--from", "tsv", "--if-version", "1"], ["delete"], ["delete", "a", "b", "--request-id", "x"],
      ["range", "a", "b", "c"], ["range", "a", "--prefix", "b"], ["range", "--limit", "0"],
      ["range", "--json", "--format", "tsv"], ["status", "--wait", "sick"], ["status", "--watch", "--wait", "healthy"],
      ["serve", "--partitions", "3"], ["serve", "extra"], ["join"], ["invite", "--ttl", "soon"],
      ["demo", "--nodes", "0"], ["demo", "--nodes", "2", "--tour"], ["demo", "--records", "5"], ["bench"],
      ["bench", "swim"], ["bench", "put", "--clients", "0"], ["bench", "put", "--key-size", "3"],
      ["bench", "put", "--total", "1", "--seconds", "1"], ["version", "extra"], ["help", "nosuch"],
      ["range", "--file", "a", "--file", "b"],
    ])
  func wrong(line: [String]) {
    let arguments = ArgumentBytes.joiningValues(line.map { ArgumentBytes.encode($0.utf8) })
    #expect {
      try Program.carryOut(arguments, .standardOutput())
    } throws: { error in
      (error as? CommandError)?.exitCode == .usage
    }
  }

  @Test(
    "A length of time is a number with a unit, or several",
    arguments: [
      ("500ms", 500), ("5s", 5000), ("2m", 120_000), ("1h", 3_600_000), ("7d", 604_800_000), ("1h30m", 5_400_000),
      ("0s", 0), ("1d1h1m1s1ms", 90_061_001),
    ] as [(String, UInt64)])
  func duration(text: String, milliseconds: UInt64) {
    #expect(DurationArgument(argument: text)?.milliseconds == milliseconds)
  }

  @Test(
    "What isn't a length of time is refused",
    arguments: [
      "", "5", "s", "5x", "-5s", "+5s", "5 s", "1.5h", "5sm", "99999999999999999999s", "18446744073709551615d", "٣s",
    ])
  func noDuration(text: String) {
    #expect(DurationArgument(argument: text) == nil)
  }

  @Test(
    "A number of bytes has a unit or none, in powers of 1024",
    arguments: [
      ("0", 0), ("4096", 4096), ("512K", 512 << 10), ("512KiB", 512 << 10), ("20M", 20 << 20), ("20MiB", 20 << 20),
      ("1GiB", 1 << 30), ("6442450944", 6 << 30), ("3T", 3 << 40), ("9223372036854775807", UInt64(Int64.max)),
    ] as [(String, UInt64)])
  func byteCounts(text: String, bytes: UInt64) {
    #expect(ByteCountArgument(argument: text)?.bytes == bytes)
  }

  @Test(
    "Anything else is no number of bytes",
    arguments: ["", "K", "-1", "+1", "1k", "1KB", "1 KiB", "1.5G", "0x10", "9223372036854775808", "9000000T", "١"])
  func noByteCounts(text: String) {
    #expect(ByteCountArgument(argument: text) == nil)
  }

  @Test("A request id is read in the form in which exit 75 prints it")
  func requestID() throws {
    let id = try RequestID.parsed(ArgumentBytes(Array("0192f3a4-0000-7000-8000-000000000000/7".utf8)))
    #expect(id?.description == "0192f3a4-0000-7000-8000-000000000000/7")
    #expect(try RequestID.parsed(nil) == nil)
  }
}
