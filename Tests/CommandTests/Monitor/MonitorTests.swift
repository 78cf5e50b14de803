import Bytes
import FoundationEssentials
import Glibc
import Testing

@testable import Commands

@Suite("The monitor's port of a real node", .serialized)
struct MonitorTests {
  private static func withNode(_ body: (OneNode, Int) throws -> Void) throws {
    let port = try LoopbackPort.free(1)[0]
    try body(try OneNode(["--metrics", "127.0.0.1:\(port)"]), port)
  }

  @Test("Metrics are those of kv-metrics(7), with their types, and count what is done", .timeLimit(.minutes(2)))
  func metrics() throws {
    try Self.withNode { node, port in
      for number in 1...5 { try node.kv(["put", "key\(number)", "value"]) }
      try node.kv(["get", "key1"])
      let answer = try #require(HTTPProbe.get("/metrics", port: port))
      #expect(answer.status == "HTTP/1.1 200 OK")
      #expect(Self.families(answer.content) == (try Self.documented()))
      #expect(answer.content.contains("\nkv_request_seconds_count{kind=\"write\"} 5\n"))
      #expect(answer.content.contains("\nkv_replicas{role=\"leader\"} 17\n"))
      #expect(answer.content.contains("\nkv_elections_won_total 17\n"))
      // Every line is a comment or a sample: name, labels, number.
      let sample = /kv_[a-z_]+(\{[a-z]+="[^"]*"(,le="[^"]*")?\})? [0-9.e+-]+/
      for line in answer.content.split(separator: "\n") where !line.hasPrefix("#") {
        #expect(line.wholeMatch(of: sample) != nil, "\(line)")
      }
    }
  }

  @Test("Health, readiness, the page and its document are served; all else is not", .timeLimit(.minutes(2)))
  func pages() throws {
    try Self.withNode { node, port in
      #expect(HTTPProbe.get("/healthz", port: port)?.content == "OK\n")
      #expect(HTTPProbe.get("/readyz", port: port)?.content == "OK\n")
      #expect(HTTPProbe.get("/", port: port)?.content.hasPrefix("<!doctype html>") == true)
      #expect(HTTPProbe.get("/metrics", port: port, method: "HEAD")?.content == "")
      #expect(HTTPProbe.get("/nothing", port: port)?.status == "HTTP/1.1 404 Not Found")
      #expect(HTTPProbe.get("/", port: port, method: "POST")?.status == "HTTP/1.1 405 Method Not Allowed")
      #expect(HTTPProbe.get("/metrics", port: port, host: "evil.example")?.status == "HTTP/1.1 403 Forbidden")
      let half = try #require(HTTPProbe(port))
      half.send(Array("GET /healthz HTTP/1.1\r\n\r\n".utf8))
      half.endSending()
      #expect(half.readAll().hasSuffix("\r\n\r\nOK\n"))
      let document = try #require(HTTPProbe.get("/status.json", port: port)?.content)
      struct Shown: Decodable {
        struct Partition: Decodable {
          let start: Double
          let end: Double
          let leader: UInt32
        }
        let ready: Bool
        let partitions: [Partition]
      }
      let shown = try JSONDecoder().decode(Shown.self, from: Data(document.utf8))
      #expect(shown.ready && shown.partitions.count == 16)
      // The arcs cover the ring, one behind the other.
      let arcs = shown.partitions.sorted { $0.start < $1.start }
      #expect(arcs.first?.start == 0 && arcs.last?.end == 1 && arcs.allSatisfy { $0.leader == 1 })
      #expect(zip(arcs, arcs.dropFirst()).allSatisfy { $0.end == $1.start })
    }
  }

  @Test("Garbage, slow clients and long lines are answered or dropped, and harm nobody", .timeLimit(.minutes(3)))
  func garbage() throws {
    try Self.withNode { node, port in
      let slow = (0..<100).compactMap { _ in HTTPProbe(port) }
      for probe in slow { probe.send(Array("GET /me".utf8)) }
      var random = SplitMix64(seed: 11)
      // The silent ones hold all the connections there are; the next ones find room once they are timed out.
      let began = ProcessFacts.steadyMilliseconds
      #expect(slow.first?.readAll().hasPrefix("HTTP/1.1 408 ") == true)
      #expect(ProcessFacts.steadyMilliseconds - began < 15_000)
      for probe in slow { _ = probe.readAll() }
      for round in 0..<200 {
        let probe = try #require(HTTPProbe(port))
        probe.send((0..<Int(random.next() % 3000)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        if round % 2 == 0 { probe.endSending() }
      }
      let long = try #require(HTTPProbe(port))
      long.send(Array(("GET /" + String(repeating: "a", count: 20_000)).utf8))
      #expect(long.readAll().hasPrefix("HTTP/1.1 431 "))
      try node.kv(["put", "still", "here"])
      #expect(HTTPProbe.get("/healthz", port: port)?.content == "OK\n")
    }
  }

  @Test("Metrics are not served to other machines")
  func loopbackOnly() throws {
    let place = try DirectoryTree.makeTemporary("kv-metrics-")
    defer { DirectoryTree.remove(place) }
    let port = try LoopbackPort.free(1)[0]
    let run = try ProgramRun.of(
      ["serve", "-d", place, "--listen", "127.0.0.1:\(port)", "--metrics", "0.0.0.0:0", "--log-level", "error"])
    #expect(run.status == ExitCode.usage.rawValue && run.errors.contains("loopback"), "\(run)")
  }

  /// The families of a scrape, with their types.
  private static func families(_ text: String) -> [String: String] {
    var families: [String: String] = [:]
    for line in text.split(separator: "\n") where line.hasPrefix("# TYPE ") {
      let words = line.split(separator: " ")
      families[String(words[2])] = String(words[3])
    }
    return families
  }

  /// Those of the page: `.It Li NAME Pq TYPE`.
  private static func documented() throws -> [String: String] {
    let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../man/kv-metrics.7")
    var families: [String: String] = [:]
    for line in try String(contentsOf: page.standardized, encoding: .utf8).split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count >= 5, words[0] == ".It", words[1] == "Li", words[3] == "Pq" {
        families[String(words[2])] = String(words[4])
      }
    }
    return families
  }
}
