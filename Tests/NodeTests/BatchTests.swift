import Bytes
import HashRing
import Simulation
import Testing
import Wire

@testable import Node

@Suite("Keys that are written together")
struct BatchTests {
  private func cluster(_ seed: UInt64, partitions: Int = 1) throws -> SimulatedWorld {
    let world = try SimulatedWorld(seed: seed, partitions: partitions)
    for _ in 0..<2 { _ = try world.join() }
    try #require(world.settle())
    return world
  }

  @Test("they have one version, and a read at the one before shows none of them")
  func oneVersion() throws {
    let world = try cluster(1)
    let before = try #require(world.put("b", "old", id: 1))
    let version = try #require(world.ask(SimulatedWorld.batch(["b": "2", "a": "1", "c": "3"], id: 2))?.version)
    let earlier = Version(rawValue: version.rawValue - 1)
    #expect(before < version)
    for (key, old, new) in [("a", nil, "1"), ("b", "old", "2"), ("c", nil, "3")] {
      #expect(world.get(key, at: earlier) == old && world.get(key, at: version) == new && world.get(key) == new)
    }
  }

  @Test("one false condition keeps all from being written, and is named")
  func condition() throws {
    let world = try cluster(2)
    let present = try #require(world.put("b", "here", id: 1))
    let request = SimulatedWorld.batch(["a": "1", "b": "2", "c": "3"], id: 2, condition: .ifAbsent)
    let failure = try #require(world.ask(request)?.failure)
    #expect(failure.code == .conditionFalse && failure.write == 2 && failure.version == present.rawValue)
    #expect(world.get("a") == nil && world.get("b") == "here" && world.get("c") == nil)
    #expect(world.ask(SimulatedWorld.batch(["a": "1", "c": "3"], id: 3, condition: .ifAbsent))?.version != nil)
  }

  @Test("repeated, it is carried out once; another under its id is refused", arguments: [false, true])
  func repetition(restarts: Bool) throws {
    let world = try cluster(3)
    let request = SimulatedWorld.batch(["a": "1", "b": "2"], id: 1)
    let version = try #require(world.ask(request)?.version)
    let later = try #require(world.put("a", "later", id: 2))
    if restarts {
      for id in world.hosts.keys.sorted() { world.kill(id) }
      for number in 1...3 as ClosedRange<UInt32> { try world.start(NodeID(rawValue: number)) }
      try #require(world.settle())
    }
    #expect(world.ask(request)?.version == version)
    #expect(world.get("a") == "later" && later > version)
    #expect(world.ask(SimulatedWorld.batch(["a": "1", "b": "3"], id: 1))?.failure?.code == .refused)
    #expect(world.ask(SimulatedWorld.batch(["b": "2", "a": "1"], id: 1))?.failure?.code == .refused)
    #expect(world.ask(SimulatedWorld.write("a", "1", id: 1))?.failure?.code == .refused)
  }

  @Test("keys of two partitions are refused, and nothing is written")
  func twoPartitions() throws {
    let world = try cluster(4, partitions: 2)
    let halves = Dictionary(grouping: (0..<20).map { "k\($0)" }) { Position(ofBytes: Array($0.utf8)).rawValue >> 63 }
    let (low, high) = (try #require(halves[0]), try #require(halves[1]))
    let failure = try #require(world.ask(SimulatedWorld.batch([low[0]: "1", high[0]: "2"], id: 1))?.failure)
    #expect(failure.code == .spansPartitions)
    #expect(world.get(low[0]) == nil && world.get(high[0]) == nil)
    #expect(world.ask(SimulatedWorld.batch([low[0]: "1", low[1]: "2"], id: 2))?.version != nil)
    #expect(world.ask(SimulatedWorld.batch([high[0]: "1", high[1]: "2"], id: 3))?.version != nil)
  }

  @Test("after a split one that was carried out before is still known, a new one is refused")
  func split() throws {
    let world = try cluster(5)
    let halves = Dictionary(grouping: (0..<20).map { "k\($0)" }) { Position(ofBytes: Array($0.utf8)).rawValue >> 63 }
    let (low, high) = (try #require(halves[0]?.first), try #require(halves[1]?.first))
    let upward = SimulatedWorld.batch([low: "1", high: "2"], id: 1)
    let downward = SimulatedWorld.batch([high: "3", low: "4"], id: 2)
    let versions = try [upward, downward].map { try #require(world.ask($0)?.version) }
    #expect(world.ask(.with { $0.split = .with { $0.group = 1 } }) != nil)
    try #require(world.settle())
    #expect([upward, downward].map { world.ask($0)?.version } == versions)
    #expect(world.ask(SimulatedWorld.batch([low: "1", high: "2"], id: 3))?.failure?.code == .spansPartitions)
    #expect(world.get(low) == "4" && world.get(high) == "3")
  }

  @Test("what can't be one is refused with words")
  func invalid() throws {
    let world = try cluster(6)
    func refusal(_ request: WireRequest) -> String? {
      guard let failure = world.ask(request)?.failure, failure.code == .invalid else { return nil }
      return failure.message
    }
    #expect(refusal(SimulatedWorld.batch(["a": "1", "a": "2"], id: 1))?.contains("once") == true)
    #expect(refusal(SimulatedWorld.batch(["a": "1", "": "2"], id: 2))?.contains("empty") == true)
    #expect(refusal(SimulatedWorld.batch([:], id: 3))?.contains("empty") == true)
    var deletion = SimulatedWorld.batch(["a": "1", "b": ""], id: 4)
    deletion.batch.writes[1].tombstone = true
    #expect(refusal(deletion)?.contains("deletion") == true)
    var many = SimulatedWorld.batch(["a": "1"], id: 5)
    many.batch.writes = (0...Limits.atomicWrites).map { number in .with { $0.key = .init("k\(number)".utf8) } }
    #expect(refusal(many)?.contains("10000") == true)
    var large = SimulatedWorld.batch(["a": "1", "b": "2"], id: 6)
    large.batch.writes[0].value = .init([UInt8](repeating: 0, count: Limits.valueBytes.rawValue))
    large.batch.writes[1].value = .init([UInt8](repeating: 0, count: Limits.keyBytes.rawValue))
    #expect(refusal(large)?.contains("together") == true)
    let reader = Caller.client(canWrite: false, canAdminister: false)
    #expect(world.ask(SimulatedWorld.batch(["a": "1"], id: 7), as: reader)?.failure?.code == .refused)
    #expect(world.get("a") == nil)
  }

  @Test("they may be as large together as one alone")
  func large() throws {
    let world = try cluster(8)
    var request = SimulatedWorld.batch(["a": "1", "b": "2", "c": "3"], id: 1)
    for place in 0..<3 { request.batch.writes[place].value = .init([UInt8](repeating: 7, count: 8 << 20 / 3)) }
    #expect(world.ask(request)?.version != nil)
    #expect(world.get("c")?.utf8.count == 8 << 20 / 3)
  }

  @Test("a watch gives all of one or nothing of it, in the order of keys", arguments: [false, true])
  func watch(isFlushed: Bool) throws {
    let world = try cluster(7)
    let before = try #require(world.put("z", "0", id: 1))
    let version = try #require(world.ask(SimulatedWorld.batch(["c": "3", "a": "1", "b": "2"], id: 2))?.version)
    let after = try #require(world.put("d", "4", id: 3))
    if isFlushed {
      for host in world.hosts.values { host.node.partitions.forEach { $0.flush() } }
      world.run(milliseconds: 1_000)
      for id in world.hosts.keys.sorted() {
        world.exit(id)
        try world.start(id)
      }
      try #require(world.settle())
    }
    var position = before
    var told: [[String]] = []
    while position < after {
      let request = WireRequest.with {
        $0.timeoutMs = 8_000
        $0.watch = .with {
          $0.groups = [1]
          $0.bits = [0]
          $0.after = position.rawValue
          $0.through = after.rawValue
          $0.credit = 1
        }
      }
      guard case .watch(let answer)? = world.ask(request, of: world.leader(ofKey: "a")) else { break }
      var keys: [String] = []
      var reader = ByteReader(answer.records.array)
      while !reader.isAtEnd {
        let record = try Record(from: &reader)
        keys.append(String(decoding: record.key.bytes, as: UTF8.self))
        #expect(record.version == (record.key.bytes == Array("d".utf8) ? after : version))
      }
      told.append(keys)
      position = Version(rawValue: answer.through)
    }
    #expect(told == [["a", "b", "c"], ["d"]])
  }
}
