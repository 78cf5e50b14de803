import Bytes
import Client
import Synchronization

/// Ranges by many clients, a thread for each: a range takes many turns of several connections.
struct RangeLoad {
  private let plan: BenchPlan
  private let file: ClusterFile
  private let timeoutMilliseconds: Int

  init(_ plan: BenchPlan, _ file: ClusterFile, timeoutMilliseconds: Int) {
    self.plan = plan
    self.file = file
    self.timeoutMilliseconds = timeoutMilliseconds
  }

  /// What the clients' threads share.
  private final class Shared: Sendable {
    let sum = Mutex(BenchRun.Sum())
    let timer = Mutex<BenchTimer?>(nil)
    let ready = Atomic(0)
    let go = Atomic(false)
    let left: Atomic<Int>
    init(operations: Int) { left = Atomic(operations) }
  }

  /// How long a client rests after an error, in milliseconds.
  private static let rest: UInt64 = 10

  func run(nodes: [UInt64]) -> BenchRun.Sum {
    let shared = Shared(operations: plan.operations)
    let (plan, file, timeout) = (plan, file, timeoutMilliseconds)
    Threads.detach {
      // The clock starts once every client has its connections.
      while shared.ready.load(ordering: .acquiring) < plan.clients { ProcessFacts.sleep(milliseconds: 1) }
      shared.timer.withLock { $0 = BenchTimer(nodes: nodes) }
      shared.go.store(true, ordering: .releasing)
    }
    Threads.each(plan.clients) { index in
      let client = Client(file, timeoutMilliseconds: timeout)
      do throws(ClientError) {
        for number in 0..<8 { _ = try client.get(plan.key(number * plan.keys / 8)) }
      } catch {
        // What fails now will fail when it counts.
      }
      shared.ready.add(1, ordering: .acquiringAndReleasing)
      while !shared.go.load(ordering: .acquiring) { ProcessFacts.sleep(milliseconds: 1) }
      let sum = RangeLoad.work(plan, client, seed: UInt64(index), left: shared.left)
      shared.sum.withLock { $0.add(sum) }
    }
    var sum = shared.sum.withLock { $0 }
    shared.timer.withLock { $0 }?.stop(&sum)
    return sum
  }

  /// One client's work.
  private static func work(
    _ plan: BenchPlan, _ client: Client, seed: UInt64, left: borrowing Atomic<Int>
  ) -> BenchRun.Sum {
    var sum = BenchRun.Sum()
    var random = SplitMix64(seed: SplitMix64.mix(seed + 1))
    let end = plan.milliseconds.map { ProcessFacts.steadyNanoseconds + $0 * 1_000_000 } ?? .max
    while ProcessFacts.steadyNanoseconds < end, left.subtract(1, ordering: .relaxed).newValue >= 0 {
      let key = plan.key(Int(random.next() % UInt64(plan.keys)))
      let began = ProcessFacts.steadyNanoseconds
      do throws(ClientError) {
        let stream = try client.range(
          RangeQuery(min: key, at: plan.version, limit: plan.limit, consistency: plan.consistency))
        while try stream.nextView() != nil {}
        sum.latencies.record(nanoseconds: ProcessFacts.steadyNanoseconds - began)
      } catch {
        sum.note(error)
        ProcessFacts.sleep(milliseconds: rest)
      }
    }
    return sum
  }
}
