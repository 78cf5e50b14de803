import Bytes
import Testing

@testable import Commands

@Suite("Settings of a node")
struct SettingsTests {
  @Test("A flag goes before a variable, a variable before a line of the file")
  func precedence() throws {
    let place = try DirectoryTree.makeTemporary("kv-settings-")
    defer { DirectoryTree.remove(place) }
    let path = "\(place)/serve.conf"
    _ = try FileReplacement.write(path) { (output) throws(CommandError) in
      try output.write("# a comment\n\nlisten 127.0.0.1:1\nzone  a b \r\nkeep 2h\nlog-level debug\n".utf8)
      return .done
    }
    let line = try ServeCommand.parse(["--listen", "127.0.0.1:3", "--config", path])
    let complete = try NodeSettings.complete(
      line, environment: ["KV_LISTEN": "127.0.0.1:2", "KV_ZONE": "c", "KV_LOG_FORMAT": "json", "KV_OTHER": "x"])
    #expect(complete.node.listen?.text == "127.0.0.1:3")
    #expect(complete.node.zone?.text == "c")
    #expect(complete.node.logFormat == .json)
    #expect(complete.node.logLevel == .debug)
    #expect(complete.keep?.milliseconds == 7_200_000)
    #expect(complete.partitions == nil)
    let byVariable = try NodeSettings.complete(.empty, environment: ["KV_CONFIG": path])
    #expect(byVariable.node.zone?.text == "a b" && byVariable.node.listen?.text == "127.0.0.1:1")
  }

  @Test(
    "What is wrong in a file is named with its line",
    arguments: [
      ("listen", "line 1: 'listen' has no value"), ("# fine\nlisten nowhere", "line 2: --listen: 'nowhere'"),
      ("zone a\nzone b", "line 2: 'zone' is set in line 1"), ("partitions 3", "line 1: --partitions takes"),
      ("port 3", "line 1: 'port' is none of"),
      ("keep long", "line 1: The value 'long' is invalid for '--keep <duration>'; a duration is 500ms, "),
      ("weight -1", "line 1: The value '-1' is invalid for '--weight <n>'; a whole number from 0 to "),
      (
        "log-level loud",
        "line 1: The value 'loud' is invalid for '--log-level <level>'. Please provide one of the following: trace, debug, "
      ),
      ("metrics 192.0.2.1:9090", "line 1: --metrics 192.0.2.1:9090: metrics are served without encryption"),
      ("quiet", "line 1: 'quiet' is none of"),
    ])
  func wrongLine(text: String, words: String) {
    do {
      _ = try NodeSettings.parse(Array(text.utf8), path: "serve.conf")
      Issue.record("accepted: \(text)")
    } catch {
      #expect(error.exitCode == .configuration)
      #expect(error.message?.contains("serve.conf, \(words)") == true, "\(error)")
    }
  }

  @Test("Bytes at random are accepted or refused, and nothing else happens")
  func garbage() {
    var random = SplitMix64(seed: 7)
    for _ in 0..<300 {
      let bytes = (0..<Int(random.next() % 60)).map { _ in UInt8(truncatingIfNeeded: random.next() % 96 + 10) }
      _ = try? NodeSettings.parse(bytes, path: "x")
    }
  }

  @Test("A wrong variable is named")
  func wrongVariable() {
    #expect(throws: CommandError.self) { try NodeSettings.complete(.empty, environment: ["KV_LISTEN": "nowhere"]) }
  }

  @Test("The unit runs the node as the command line says, with words that systemd reads back")
  func unit() throws {
    let unit = try SystemdUnit(try ServeCommand.parse(["--zone", "a b", "-d", "/data/x%y"]), directory: "/data/x%y")
      .text
    #expect(unit.contains("serve --directory /data/x%%y --zone \"a b\"\n"))
    #expect(unit.contains("Type=notify\n") && unit.contains("ReadWritePaths=/data/x%%y\n"))
    #expect(unit.contains("RequiresMountsFor=/data/x%%y\n"))
    #expect(SystemdUnit.quoted("a\"b\\$c") == "\"a\\\"b\\\\$$c\"")
    let usual = try SystemdUnit(try ServeCommand.parse(["--config", "/etc/kv/serve.conf"]), directory: nil).text
    #expect(usual.contains("--config /etc/kv/serve.conf --directory /var/lib/kv\n"))
  }
}
