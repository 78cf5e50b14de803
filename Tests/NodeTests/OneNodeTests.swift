import Bytes
import Simulation
import Testing
import Wire

@testable import Node

@Suite struct OneNodeTests {
  let world: SimulatedWorld

  init() throws {
    world = try SimulatedWorld(seed: 1)
  }

  @Test("a value is read back, at the latest and at its version")
  func putAndGet() throws {
    let first = try #require(world.put("k", "one", id: 1))
    let second = try #require(world.put("k", "two", id: 2))
    #expect(first < second)
    #expect(world.get("k") == "two")
    #expect(world.get("k", at: first) == "one")
    #expect(world.get("absent") == nil)
  }

  @Test("a deletion writes a version of its own; the past still shows the value; of an absent key it writes nothing")
  func delete() throws {
    let put = try #require(world.put("k", "v", id: 1))
    let deletion = try #require(world.put("k", nil, id: 2))
    #expect(deletion > put)
    #expect(world.get("k") == nil)
    #expect(world.get("k", at: put) == "v")
    #expect(world.put("k", nil, id: 3) == .zero)
  }

  @Test("a conditional write is made only where its condition holds, and says what it found")
  func conditions() throws {
    let absent = SimulatedWorld.write("k", "one", id: 1, condition: .ifAbsent)
    let version = try #require(world.ask(absent)?.version)
    let again = world.ask(SimulatedWorld.write("k", "two", id: 2, condition: .ifAbsent))?.failure
    #expect(again?.code == .conditionFalse)
    #expect(again?.version == version.rawValue)
    let swap = SimulatedWorld.write("k", "three", id: 3, condition: .ifVersion, expected: version)
    #expect(world.ask(swap)?.version != nil)
    let stale = SimulatedWorld.write("k", "four", id: 4, condition: .ifVersion, expected: version)
    #expect(world.ask(stale)?.failure?.code == .conditionFalse)
    #expect(world.get("k") == "three")
  }

  @Test("a repeated request id gives the first outcome; with another payload it is refused")
  func requestIDs() throws {
    let write = SimulatedWorld.write("k", "v", id: 7)
    let first = try #require(world.ask(write)?.version)
    _ = world.put("k", "later", id: 8)
    #expect(world.ask(write)?.version == first)
    #expect(world.get("k") == "later")
    #expect(world.ask(SimulatedWorld.write("k", "other", id: 7))?.failure?.code == .refused)
  }

  @Test("of many conditional writes of one key at once, one is made")
  func race() {
    var made = 0
    var answers = 0
    for id in 1...50 as ClosedRange<UInt64> {
      world.send(SimulatedWorld.write("lock", "\(id)", id: id, condition: .ifAbsent), to: NodeID(rawValue: 1)) {
        answers += 1
        if $0.version != nil { made += 1 }
      }
    }
    world.run(milliseconds: 5_000)
    #expect(answers == 50)
    #expect(made == 1)
  }

  @Test("a read at a version waits for the write on its way that gets it: what it says once, it says for ever")
  func readOfWriteUnderWay() throws {
    _ = world.put("k", "one", id: 1)
    try #require(world.hosts.values.first).laneDelays[.log] = 300_000_000
    var put: WireResponse.OneOf_Body?
    world.send(SimulatedWorld.write("k", "two", id: 2), to: NodeID(rawValue: 1)) { put = $0 }
    world.run(milliseconds: 50)
    #expect(put == nil, "it has its version, and is not in the log yet")
    guard case .now(let now)? = world.ask(.with { $0.now = WireNowRequest() }) else {
      Issue.record("no version")
      return
    }
    let version = Version(rawValue: now.version)
    let early = world.get("k", at: version)
    world.run(milliseconds: 1_000) { put != nil }
    #expect(try #require(put?.version) <= version)
    #expect(early == "two")
    #expect(world.get("k", at: version) == early)
  }

  @Test("a version in the future is refused: its answer could still change")
  func future() throws {
    let version = try #require(world.put("k", "v", id: 1))
    let far = Version(milliseconds: version.milliseconds + 3_600_000)
    #expect(world.ask(SimulatedWorld.read("k", at: far))?.failure?.code == .futureVersion)
  }

  @Test("too large keys and values, and strangers, are refused")
  func refusals() {
    let long = String(repeating: "k", count: Limits.keyBytes.rawValue + 1)
    #expect(world.ask(SimulatedWorld.write(long, "v", id: 1))?.failure?.code == .invalid)
    #expect(world.ask(SimulatedWorld.write("", "v", id: 2))?.failure?.code == .invalid)
    #expect(world.ask(SimulatedWorld.read("k"), as: .stranger)?.failure?.code == .refused)
    let reader = Caller.client(canWrite: false, canAdminister: false)
    #expect(world.ask(SimulatedWorld.write("k", "v", id: 3), as: reader)?.failure?.code == .refused)
  }

  @Test("lights-out: what was acknowledged is there after a crash that loses everything unsynced")
  func lightsOut() throws {
    var acknowledged: [String: Version] = [:]
    for id in 1...200 as ClosedRange<UInt64> {
      acknowledged["k\(id)"] = world.put("k\(id)", "v\(id)", id: id)
    }
    #expect(acknowledged.count == 200)
    let node = NodeID(rawValue: 1)
    let last = try #require(acknowledged.values.max())
    world.kill(node)
    try world.start(node)
    for (key, version) in acknowledged.sorted(by: { $0.value < $1.value }) {
      #expect(world.get(key, at: version) == "v" + key.dropFirst())
    }
    let next = try #require(world.put("k", "v", id: 1000))
    #expect(next > last, "versions never rewind")
  }

  @Test("a process that ends while a read waits for a write leaves nothing of its partitions behind")
  func ends() throws {
    let world = try SimulatedWorld(seed: 1, partitions: 1)
    let id = NodeID(rawValue: 1)
    let version = try #require(world.put("k", "1", id: 1))
    weak let partition = world.hosts[id]?.node.partitions.first
    world.hosts[id]?.laneDelays[.log] = 5_000_000_000
    var answers = 0
    world.send(SimulatedWorld.write("k", "2", id: 2), to: id) { _ in answers += 1 }
    world.run(milliseconds: 100)
    world.send(SimulatedWorld.read("k", at: version.advanced(by: 1)), to: id) { _ in answers += 1 }
    world.run(milliseconds: 100)
    let waiting = partition?.barriers.count
    #expect(waiting == 1 && answers == 0)
    world.exit(id)
    world.run(milliseconds: 10_000)
    let isGone = partition == nil
    #expect(isGone)
  }

  @Test("a process that ends leaves nothing of its checks behind")
  func endsAfterCheck() throws {
    let world = try SimulatedWorld(seed: 1, partitions: 1)
    let id = NodeID(rawValue: 1)
    #expect(world.put("k", "1", id: 1) != nil)
    #expect(world.verify(1)?.report.outcomes == [.equal])
    weak let verifier = world.hosts[id]?.node.verifier
    let isThere = verifier != nil
    #expect(isThere)
    world.exit(id)
    world.run(milliseconds: 10_000)
    let isGone = verifier == nil
    #expect(isGone)
  }
}
