import Bytes
import Client
import Synchronization

/// One run of a benchmark: a thread for each client, each with connections of its own, each with one operation under
/// way at a time.
struct BenchRun {
  let plan: BenchPlan
  let file: ClusterFile
  let timeoutMilliseconds: Int

  /// What all clients together have done.
  struct Sum: Sendable {
    var latencies = LatencyHistogram()
    var errors = 0
    var firstError: ClientError?
    var nanoseconds: UInt64 = 0
    var processorMicroseconds: UInt64?
  }

  /// What the clients' threads share.
  private final class Shared: Sendable {
    let sum = Mutex(Sum())
    let ready = Atomic(0)
    let go = Atomic(false)
    let left: Atomic<Int>
    init(operations: Int) { left = Atomic(operations) }
  }

  /// How long a client rests after an error, in milliseconds.
  private static let rest: UInt64 = 10

  /// Runs the plan.
  /// - Parameter nodes: the process ids of all nodes, whose processor time is counted where they run here.
  func run(nodes: [UInt64]) -> Sum {
    let operations = if case .operations(let count) = plan.end { count } else { Int.max }
    let shared = Shared(operations: operations)
    let (plan, file, timeout) = (plan, file, timeoutMilliseconds)
    let timer = Timer()
    Threads.detach {
      // The clock starts once every client has its connections.
      while shared.ready.load(ordering: .acquiring) < plan.clients { ProcessFacts.sleep(milliseconds: 1) }
      timer.start(nodes)
      shared.go.store(true, ordering: .releasing)
    }
    Threads.each(plan.clients) { index in
      var worker = BenchClient(plan, Client(file, timeoutMilliseconds: timeout), seed: UInt64(index))
      worker.warmUp()
      shared.ready.add(1, ordering: .acquiringAndReleasing)
      while !shared.go.load(ordering: .acquiring) { ProcessFacts.sleep(milliseconds: 1) }
      var deadline = UInt64.max
      if case .milliseconds(let time) = plan.end { deadline = ProcessFacts.steadyNanoseconds + time * 1_000_000 }
      while shared.left.subtract(1, ordering: .relaxed).newValue >= 0 {
        let end = worker.operate()
        if worker.failedLast { ProcessFacts.sleep(milliseconds: BenchRun.rest) }
        if end >= deadline { break }
      }
      shared.sum.withLock { worker.add(to: &$0) }
    }
    var sum = shared.sum.withLock { $0 }
    (sum.nanoseconds, sum.processorMicroseconds) = timer.stop(nodes)
    return sum
  }

  /// Wall and processor time between two moments.
  private final class Timer: Sendable {
    private let began = Mutex<(nanoseconds: UInt64, processor: UInt64?)>((0, nil))

    func start(_ nodes: [UInt64]) {
      began.withLock { $0 = (ProcessFacts.steadyNanoseconds, ProcessorTime.microseconds(pids: nodes)) }
    }

    func stop(_ nodes: [UInt64]) -> (UInt64, UInt64?) {
      let began = began.withLock { $0 }
      let processor = ProcessorTime.microseconds(pids: nodes)
      let used = began.processor.flatMap { first in processor.map { $0 - min($0, first) } }
      return (ProcessFacts.steadyNanoseconds - began.nanoseconds, used)
    }
  }
}

/// One client of a benchmark.
struct BenchClient {
  private let plan: BenchPlan
  private let client: Client
  private var random: SplitMix64
  private let value: [UInt8]
  private var sum = BenchRun.Sum()
  private(set) var failedLast = false

  init(_ plan: BenchPlan, _ client: Client, seed: UInt64) {
    self.plan = plan
    self.client = client
    random = SplitMix64(seed: SplitMix64.mix(seed + 1))
    value = plan.value(&random)
  }

  /// Makes the connections before time counts, whether that succeeds or not: what fails now will be counted later.
  func warmUp() {
    for number in 0..<8 { _ = try? client.get(plan.key(number * plan.keys / 8)) }
  }

  /// Does one operation and measures it; gives the moment of its end.
  mutating func operate() -> UInt64 {
    let key = plan.key(Int(random.next() % UInt64(plan.keys)))
    let began = ProcessFacts.steadyNanoseconds
    do throws(ClientError) {
      switch plan.workload {
      case .put: _ = try client.put(key, value)
      case .get: _ = try client.get(key)
      case .range:
        let stream = try client.range(RangeQuery(min: key, limit: plan.limit))
        while try stream.next() != nil {}
      }
      let end = ProcessFacts.steadyNanoseconds
      sum.latencies.record(nanoseconds: end - began)
      failedLast = false
      return end
    } catch {
      sum.errors += 1
      sum.firstError = sum.firstError ?? error
      failedLast = true
      return ProcessFacts.steadyNanoseconds
    }
  }

  /// Adds what this client has done.
  func add(to all: inout BenchRun.Sum) {
    all.latencies.add(sum.latencies)
    all.errors += sum.errors
    all.firstError = all.firstError ?? sum.firstError
  }
}
