import Bytes
import Environment
import Node
import Wire

/// Versions asked of the catalog's leader, in process: the whole way of a node's request but for the network, with the
/// catalog's lease and ceiling kept by the simulated cluster around it. One version a request, and as many as the
/// partitions of a node want at once under load.
enum OracleBenchmark {
  private static let versionsPerRequest: [UInt32] = [1, 16]
  private static let rounds = 1_000
  private static let requestsPerRound = 1_000
  /// A round takes as much of the cluster's time as it might of a real one's.
  private static let roundMilliseconds: UInt64 = 1

  /// Runs it and prints the result.
  static func run() -> Int32 {
    do {
      let world = try SimulatedWorld(seed: 1)
      for _ in 1..<3 { _ = try world.join() }
      guard world.settle(milliseconds: 60_000) == nil,
        let node = world.hosts.values.first(where: { $0.node.leads(.catalog) })?.node
      else {
        return fail("the cluster does not become healthy")
      }
      for count in versionsPerRequest {
        if let failure = measure(world, node, count) { return fail(failure) }
      }
      return 0
    } catch {
      return fail("\(error)")
    }
  }

  private static func measure(_ world: SimulatedWorld, _ node: Node, _ count: UInt32) -> String? {
    let request = WireRequest.with { $0.versions = .with { $0.count = count } }
    let caller = Caller.node(node.id)
    var last: UInt64 = 0
    var (given, late) = (0, 0)
    var seconds = 0.0
    for _ in 0..<rounds {
      let began = SimulateCommand.processorSeconds
      let before = given
      for _ in 0..<requestsPerRound {
        node.handle(request, from: caller) { body in
          guard case .versions(let answer) = body, answer.first > last else { return }
          last = answer.first + UInt64(count) - 1
          given += 1
        }
      }
      seconds += SimulateCommand.processorSeconds - began
      // Those that wait for a higher ceiling are answered as the world goes on.
      late += requestsPerRound - (given - before)
      world.run(milliseconds: roundMilliseconds)
    }
    world.run(milliseconds: 1_000)
    let asked = rounds * requestsPerRound
    guard given == asked else { return "\(given) of \(asked) requests got versions above the ones before" }
    let versions = given * Int(count)
    print(
      "{\"workload\":\"oracle\",\"nodes\":3,\"versions_per_request\":\(count),\"ops\":\(versions),"
        + "\"after_a_ceiling\":\(late * Int(count)),\"seconds\":\(seconds),"
        + "\"ops_per_s\":\(Int(Double(versions) / seconds)),\"ns_per_op\":\(Int(seconds * 1e9 / Double(versions)))}")
    return nil
  }

  private static func fail(_ words: String) -> Int32 {
    print("FAILED: \(words)")
    return 1
  }
}
