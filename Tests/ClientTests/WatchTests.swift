import Bytes
import FoundationEssentials
import Testing
import Wire

@testable import Client

@Suite("A watch")
struct WatchTests {
  private let cluster = FakeCluster(nodes: 2, partitions: 2)

  /// Has the nodes tell these changes, and no more, up to a version.
  private func tell(_ changes: [UInt32: [Record]], upTo version: Version) {
    cluster.fault = { node, request in
      switch request.body {
      case .now: return .send(.now(.with { $0.version = version.rawValue }))
      case .watch(let watch):
        let wanted = (changes[node] ?? []).filter { $0.version.rawValue > watch.after && watch.through > 0 }
        var writer = ByteWriter()
        for change in wanted { change.encode(into: &writer) }
        return .send(
          .watch(
            .with {
              $0.records = Data(writer.bytes)
              $0.through = watch.through
              $0.news = watch.through == 0 && watch.after < version.rawValue
            }))
      default: return nil
      }
    }
  }

  private func record(_ key: String, _ version: UInt64) -> Record {
    Record(key: Key(key), version: Version(rawValue: version), value: Array(key.utf8))
  }

  @Test("changes of all nodes come in the order of their versions, those of one version in the order of keys")
  func order() throws {
    tell([1: [record("c", 5), record("x", 9)], 2: [record("a", 5), record("b", 7)]], upTo: Version(rawValue: 10))
    let stream = try cluster.client().watch(WatchQuery(after: Version(rawValue: 1)))
    var keys: [String] = []
    while let change = try stream.next(within: 100), keys.count < 10 {
      keys.append(String(decoding: change.key.bytes, as: UTF8.self))
    }
    #expect(keys == ["a", "c", "b", "x"])
    #expect(stream.position.rawValue == 10)
  }

  @Test("a batch whose partition was split since lies with two nodes, and counts when both parts were given out")
  func partedBatch() throws {
    tell([1: [record("a", 5)], 2: [record("b", 5), record("c", 5)]], upTo: Version(rawValue: 5))
    let stream = try cluster.client().watch(WatchQuery(after: Version(rawValue: 1)))
    for key in ["a", "b", "c"] {
      #expect(stream.position.rawValue < 5)
      #expect(try stream.next(within: 100)?.key == Key(key))
    }
    #expect(stream.position.rawValue == 5)
  }
}
