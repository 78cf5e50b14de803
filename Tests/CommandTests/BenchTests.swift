import Bytes
import Glibc
import Testing

@testable import Commands

@Suite("Benchmarks")
struct BenchTests {
  @Test("Every duration falls into a bucket that holds it and is at most 1/64 wide")
  func buckets() {
    var random = SplitMix64(seed: 1)
    for _ in 0..<20_000 {
      let value = random.next() >> UInt64.random(in: 24...63, using: &random)
      let bucket = LatencyHistogram.bucket(of: value)
      let end = LatencyHistogram.upperEnd(of: bucket)
      let isTight = end >= value && end - value <= value / 64
      let isFirst = bucket == 0 || LatencyHistogram.upperEnd(of: bucket - 1) < value
      if !isTight || !isFirst {
        Issue.record("\(value) is in bucket \(bucket), which ends at \(end)")
        return
      }
    }
    #expect(LatencyHistogram.bucket(of: .max) == LatencyHistogram.bucket(of: 1 << 40 - 1))
  }

  @Test("Quantiles are those of the sorted durations, within a bucket")
  func quantiles() {
    var random = SplitMix64(seed: 2)
    var one = LatencyHistogram()
    var other = LatencyHistogram()
    let values = (0..<10_001).map { _ in random.next() % 50_000_000 }
    for (index, value) in values.enumerated() {
      if index % 2 == 0 { one.record(nanoseconds: value) } else { other.record(nanoseconds: value) }
    }
    one.add(other)
    #expect(one.total == 10_001)
    let sorted = values.sorted()
    for share in [0.0, 0.5, 0.99, 0.999, 1.0] {
      let exact = sorted[max(0, Int((share * 10_001).rounded(.up)) - 1)]
      #expect(one.quantile(share) >= exact && one.quantile(share) <= exact + exact / 64)
    }
    #expect(LatencyHistogram().quantile(0.5) == 0)
  }

  @Test("Processor time is read from behind the program's name, which may hold anything")
  func processorTime() {
    let line = "4711 (kv) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0"
    #expect(ProcessorTime.fields(of: line).map { [$0.user, $0.system] } == [150, 25])
    #expect(ProcessorTime.fields(of: "4711 (k) v) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0") == nil)
    #expect(ProcessorTime.fields(of: "garbage") == nil)
    #expect(ProcessorTime.microseconds(pid: UInt64(getpid())) == nil, "this process isn't a kv")
  }

  @Test("Keys are as long as wanted, and each number has its own")
  func keys() {
    let plan = BenchPlan(
      workload: .put, clients: 1, keys: 1000, keySize: 16, valueSize: 33, limit: 1, end: .operations(1))
    #expect(plan.key(42) == Key("k000000000000042"))
    var random = SplitMix64(seed: 0)
    #expect(plan.value(&random).count == 33)
  }
}
