import Bytes
import Environment
import Raft

/// Proposals through a group of three consensus cores in memory, in one thread: the cost of consensus alone.
struct CoreBenchmark {
  private static let batch = 64
  private static let proposals = 4_000_000
  private static let payloadBytes = 100

  private var cores: [RaftCore]
  private var inboxes: [[Message]]
  private var now: UInt64 = 1_000_000_000
  private(set) var applied = 0

  /// Runs it and prints the result.
  static func run() {
    var bench = CoreBenchmark()
    bench.elect()
    let payloads = [[UInt8]](repeating: [UInt8](repeating: 7, count: payloadBytes), count: batch)
    // A tenth first: buffers find their sizes.
    bench.propose(payloads, rounds: proposals / batch / 10)
    let (before, resident) = (bench.applied, SimulateCommand.residentBytes)
    let began = SimulateCommand.processorSeconds
    bench.propose(payloads, rounds: proposals / batch)
    let seconds = SimulateCommand.processorSeconds - began
    let count = bench.applied - before
    print(
      "{\"workload\":\"core\",\"voters\":3,\"batch\":\(batch),\"payload_bytes\":\(payloadBytes),\"ops\":\(count),"
        + "\"seconds\":\(seconds),\"ops_per_s\":\(Int(Double(count) / seconds)),"
        + "\"ns_per_op\":\(Int(seconds * 1e9 / Double(count))),"
        + "\"resident_growth_bytes\":\(SimulateCommand.residentBytes - resident)}")
  }

  private init() {
    let ids = (1...3).map { CoreGroup.id(UInt32($0)) }
    cores = ids.map { id in
      RaftCore(
        id: id, options: RaftOptions(), hardState: HardState(), membership: Membership(voters: ids),
        compacted: CoreGroup.base, entries: [], applied: CoreGroup.base.index, seed: id.rawValue, now: 1_000_000_000)
    }
    inboxes = [[], [], []]
  }

  private mutating func elect() {
    cores[0].campaign(now: now)
    settle()
    precondition(cores[0].isLeader, "the first core is elected by the others, which are idle")
  }

  private mutating func propose(_ payloads: [[UInt8]], rounds: Int) {
    for round in 0..<rounds {
      // A round takes a microsecond of the group's time or so.
      now += 10_000
      do {
        _ = try cores[0].propose(payloads, now: now)
      } catch {
        preconditionFailure("a leader whose entries are all committed takes another: \(error)")
      }
      settle()
      guard round % 100 == 99 else { continue }
      for at in cores.indices {
        cores[at].tick(now: now)
        cores[at].compact(through: cores[at].applied)
      }
      settle()
    }
  }

  /// Lets all messages arrive, and makes all writes durable at once.
  private mutating func settle() {
    var isBusy = true
    while isBusy {
      isBusy = false
      for at in cores.indices {
        if !inboxes[at].isEmpty {
          isBusy = true
          let messages = inboxes[at]
          inboxes[at].removeAll(keepingCapacity: true)
          for message in messages { cores[at].step(message, now: now) }
        }
        while let ready = cores[at].nextReady() {
          isBusy = true
          send(ready.immediate)
          cores[at].persisted(ticket: ready.ticket, now: now)
          send(ready.afterPersist)
          guard let last = ready.committed.last else { continue }
          cores[at].applied(to: last.index)
          if at == 0 { applied += ready.committed.count }
        }
      }
    }
  }

  private mutating func send(_ messages: [Message]) {
    for message in messages { inboxes[Int(message.to.node.rawValue) - 1].append(message) }
  }
}
