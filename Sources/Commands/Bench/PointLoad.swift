import Bytes
import Client
import Environment

/// Puts or gets by many clients, all driven by one thread, so that the load takes little from the nodes that it
/// measures on the same machine.
struct PointLoad {
  private let plan: BenchPlan
  private let clients: [Client]
  private var random = SplitMix64(seed: 1)
  private let value: [UInt8]

  init(_ plan: BenchPlan, _ file: ClusterFile, timeoutMilliseconds: Int) {
    self.plan = plan
    clients = (0..<plan.clients).map { _ in Client(file, timeoutMilliseconds: timeoutMilliseconds) }
    value = plan.value(&random)
  }

  /// What the outcomes of all clients go to.
  private final class Board {
    var sum = BenchRun.Sum()
    var began: [UInt64]
    /// The clients without an operation under way.
    var idle: [Int]
    /// When an operation last ended well.
    private var lastDone = ProcessFacts.steadyNanoseconds

    init(clients: Int) {
      began = [UInt64](repeating: 0, count: clients)
      idle = Array(0..<clients)
    }

    func take(_ client: Int, _ outcome: Result<Pipeline.Answer, ClientError>) {
      switch outcome {
      case .success:
        let now = ProcessFacts.steadyNanoseconds
        sum.latencies.record(nanoseconds: now - began[client])
        endPause(at: now)
      case .failure(let error): sum.note(error)
      }
      idle.append(client)
    }

    /// Time counts from now on.
    func start() { lastDone = ProcessFacts.steadyNanoseconds }

    func endPause(at now: UInt64) {
      sum.longestPause = max(sum.longestPause ?? 0, now - lastDone)
      lastDone = now
    }
  }

  mutating func run(nodes: [UInt64]) -> BenchRun.Sum {
    // The load shall not push the nodes that it measures off the processors that it shares with them.
    Scheduling.preferLongTurns()
    let board = Board(clients: clients.count)
    let pipelines = clients.enumerated().map { index, client in
      client.pipeline(window: 1) { _, outcome in board.take(index, outcome) }
    }
    let group = PipelineGroup(pipelines)
    connect()
    let timer = BenchTimer(nodes: nodes)
    board.start()
    var left = plan.operations
    let end = plan.milliseconds.map { ProcessFacts.steadyNanoseconds + $0 * 1_000_000 } ?? .max
    while true {
      let idle = board.idle
      board.idle.removeAll(keepingCapacity: true)
      for client in idle {
        guard left > 0, ProcessFacts.steadyNanoseconds < end else {
          board.idle.append(client)
          continue
        }
        left -= 1
        begin(on: pipelines[client], at: &board.began[client])
      }
      guard board.idle.count < clients.count else { break }
      group.turn()
    }
    board.endPause(at: ProcessFacts.steadyNanoseconds)
    timer.stop(&board.sum)
    return board.sum
  }

  /// Makes connections, before time counts. Where one operation fails the others would take as long to, and what fails now
  /// will be counted later.
  private func connect() {
    do throws(ClientError) {
      for number in 0..<8 {
        for client in clients { _ = try client.get(plan.key(number * plan.keys / 8)) }
      }
    } catch {
      return
    }
  }

  private mutating func begin(on pipeline: Pipeline, at began: inout UInt64) {
    let key = plan.key(Int(random.next() % UInt64(plan.keys)))
    began = ProcessFacts.steadyNanoseconds
    if plan.workload == .put {
      pipeline.add(key, value)
    } else {
      pipeline.get(key, at: plan.version, consistency: plan.consistency)
    }
  }
}
