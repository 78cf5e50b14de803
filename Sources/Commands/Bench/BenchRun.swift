import Bytes
import Client

/// One run of a benchmark: clients with connections of their own, each with one operation under way at a time.
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
    /// The longest time in which no operation of any client ended well; nil where that isn't followed.
    var longestPause: UInt64?
    var processorMicroseconds: UInt64?

    /// Notes an operation that failed.
    mutating func note(_ error: ClientError) {
      errors += 1
      firstError = firstError ?? error
    }

    /// Adds what others have done.
    mutating func add(_ other: Sum) {
      latencies.add(other.latencies)
      errors += other.errors
      firstError = firstError ?? other.firstError
    }
  }

  /// Runs the plan.
  /// - Parameter nodes: the process ids of all nodes, whose processor time is counted where they run here.
  func run(nodes: [UInt64]) -> Sum {
    switch plan.workload {
    case .put, .get:
      var load = PointLoad(plan, file, timeoutMilliseconds: timeoutMilliseconds)
      return load.run(nodes: nodes)
    case .range: return RangeLoad(plan, file, timeoutMilliseconds: timeoutMilliseconds).run(nodes: nodes)
    }
  }
}

/// Wall and processor time from a start to a stop.
struct BenchTimer: Sendable {
  private let nodes: [UInt64]
  private let began: UInt64
  private let processor: UInt64?

  /// Starts.
  init(nodes: [UInt64]) {
    self.nodes = nodes
    processor = ProcessorTime.microseconds(pids: nodes)
    began = ProcessFacts.steadyNanoseconds
  }

  /// The time since the start, noted in a sum.
  func stop(_ sum: inout BenchRun.Sum) {
    sum.nanoseconds = ProcessFacts.steadyNanoseconds - began
    let used = ProcessorTime.microseconds(pids: nodes)
    sum.processorMicroseconds = processor.flatMap { first in used.map { $0 - min($0, first) } }
  }
}
