import Bytes
import Testing
import Wire

@testable import Client

@Suite struct PipelineTests {
  private let cluster = FakeCluster()

  @Test("reads find what was written, and nothing for absent keys")
  func reads() throws {
    let client = cluster.client()
    var versions: [Int: Version] = [:]
    let writer = client.writer { index, outcome in versions[index] = try? outcome.get() }
    for number in 0..<100 { writer.add(Key("k\(number)"), [UInt8(number)]) }
    writer.finish()
    var found: [Int: Found?] = [:]
    let pipeline = client.pipeline(window: 32) { index, outcome in
      if case .success(.found(let answer, nil)) = outcome { found[index] = .some(answer) }
    }
    for number in 0..<110 { #expect(pipeline.get(Key("k\(number)")) == number) }
    pipeline.finish()
    for number in 0..<100 {
      let answer = try #require(found[number] ?? nil)
      #expect(answer.value == [UInt8(number)] && answer.version == versions[number])
    }
    for number in 100..<110 { #expect(found[number] == .some(nil)) }
  }

  @Test("a read that a node does not answer goes to another; one too large for any is refused at once")
  func trouble() throws {
    var isFirst = true
    cluster.fault = { _, request in
      guard case .get = request.body, isFirst else { return nil }
      isFirst = false
      return .loseAnswer
    }
    var outcomes: [Int: Result<Pipeline.Answer, ClientError>] = [:]
    let pipeline = cluster.client().pipeline(window: 1) { outcomes[$0] = $1 }
    pipeline.get(Key("absent"))
    pipeline.get(Key([UInt8](repeating: 1, count: Limits.keyBytes.rawValue + 1)))
    pipeline.finish()
    #expect(try outcomes[0]?.get() == .found(nil, nil))
    guard case .failure(.invalid) = outcomes[1] else {
      Issue.record("\(String(describing: outcomes[1]))")
      return
    }
  }

  @Test("the time for which whoever takes the outcomes waits for others is not the cluster's")
  func heldUp() {
    cluster.world.latency = 10
    var outcomes: [Int: Result<Pipeline.Answer, ClientError>] = [:]
    let world = cluster.world
    let pipeline = cluster.client().pipeline(window: 64) { index, outcome in
      outcomes[index] = outcome
      // As a reader of standard output does that is slower than the timeout.
      if index % 20 == 0 { world.sleep(milliseconds: 6_000) }
    }
    for number in 0..<100 { pipeline.get(Key("k\(number)")) }
    pipeline.finish()
    #expect(outcomes.count == 100)
    for (index, outcome) in outcomes { #expect((try? outcome.get()) == .found(nil, nil), "\(index): \(outcome)") }
  }

  @Test("the pipelines of many clients make progress together, each with one request under way")
  func group() {
    cluster.world.latency = 10
    final class Board { var done = [Int](repeating: 0, count: 20) }
    let board = Board()
    let pipelines = (0..<20).map { index in
      cluster.client().pipeline(window: 1) { _, outcome in
        if case .success = outcome { board.done[index] += 1 }
      }
    }
    let group = PipelineGroup(pipelines)
    for (index, pipeline) in pipelines.enumerated() { pipeline.add(Key("warm\(index)"), []) }
    while board.done.contains(where: { $0 < 1 }) { group.turn() }
    let began = cluster.world.now
    for round in 1...5 {
      for (index, pipeline) in pipelines.enumerated() { pipeline.add(Key("k\(index)"), [UInt8(round)]) }
      while board.done.contains(where: { $0 < round + 1 }) { group.turn() }
    }
    // One after the other, the hundred would take a second of round trips.
    #expect(cluster.world.now - began < 500)
    #expect(cluster.store[Key("k7")]?.value == [5])
  }
}
