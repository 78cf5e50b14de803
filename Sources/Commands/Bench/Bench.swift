import ArgumentParser
import Bytes
import Client

/// `kv bench`: measures a running cluster.
struct BenchCommand: Executable {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure throughput and latency of a running cluster.",
    discussion: "kv bench engine measures the storage engine alone: see kv bench engine --help.")

  @OptionGroup var global: GlobalOptions

  @Option(help: ArgumentHelp("How many clients, each with one operation under way.", valueName: "count"))
  var clients = 64

  @Option(help: ArgumentHelp("How many different keys.", valueName: "count"))
  var keys = 100_000

  @Option(help: ArgumentHelp("The length of a key.", valueName: "bytes"))
  var keySize = 16

  @Option(help: ArgumentHelp("The length of a value.", valueName: "bytes"))
  var valueSize = 256

  @Option(help: ArgumentHelp("Stop after so many operations.", valueName: "count"))
  var total: Int?

  @Option(help: ArgumentHelp("Stop after so many seconds; 10 if nothing is said.", valueName: "count"))
  var seconds: Double?

  @Option(parsing: .unconditional, help: ArgumentHelp("How many records a range reads.", valueName: "count"))
  var limit = 100

  @Option(help: ArgumentHelp("Read at a version or time: -5m, @SECONDS, RFC 3339.", valueName: "time"))
  var at: ArgumentBytes?

  @Option(help: ArgumentHelp("strong, eventual or bounded:DURATION.", valueName: "consistency"))
  var consistency: ConsistencyArgument?

  @Argument(help: ArgumentHelp("put, get or range.", valueName: "workload"))
  var workload: BenchWorkload

  mutating func validate() throws {
    if total != nil, seconds != nil { throw ValidationError("--total and --seconds exclude each other") }
    if let total, total < 1 { throw ValidationError("--total takes a number from 1 on") }
    if let seconds, !(0.001...1e6).contains(seconds) { throw ValidationError("--seconds takes 0.001 to 1000000") }
    guard (1...4096).contains(clients) else { throw ValidationError("--clients takes a number from 1 to 4096") }
    guard (1...1_000_000_000).contains(keys) else {
      throw ValidationError("--keys takes a number from 1 to 1000000000")
    }
    guard (String(keys - 1).utf8.count + 1...Limits.keyBytes.rawValue).contains(keySize) else {
      throw ValidationError("--key-size takes at most \(Limits.keyBytes), and enough for k and \(keys - 1)")
    }
    guard (0...Limits.valueBytes.rawValue).contains(valueSize) else {
      throw ValidationError("--value-size takes at most \(Limits.valueBytes)")
    }
    guard limit >= 1 else { throw ValidationError("--limit takes a number from 1 on") }
    if workload == .put, at != nil || consistency != nil {
      throw ValidationError("--at and --consistency are of reads: get and range")
    }
    if at != nil, consistency?.isRelaxed == true {
      throw ValidationError(
        "--at excludes --consistency: what was written up to a version is the same on every replica")
    }
  }

  private var plan: BenchPlan {
    let milliseconds = UInt64((seconds ?? 10) * 1000)
    return BenchPlan(
      workload: workload, clients: clients, keys: keys, keySize: keySize, valueSize: valueSize, limit: limit,
      consistency: consistency?.consistency ?? .strong,
      end: total.map { .operations($0) } ?? .milliseconds(milliseconds))
  }

  func execute(_ output: OutputStream) throws(CommandError) -> ExitCode {
    Memory.keepFreed()
    let file = try global.clusterFile()
    let client = Client(file, timeoutMilliseconds: global.timeoutMilliseconds)
    let time = try at.map { (text) throws(CommandError) in try TimeArgument(parsing: text.text) }
    var plan = self.plan
    let reports = try asking { () throws(ClientError) in try client.status() }
    // A cluster that can't be reached is told of at once, and not by each of the operations.
    _ = try asking { () throws(ClientError) in try client.get(plan.key(keys - 1)) }
    if workload != .put { try load(client) }
    plan.version = try time?.version(asking: client)
    let run = BenchRun(plan: plan, file: file, timeoutMilliseconds: global.timeoutMilliseconds)
    let sum = run.run(nodes: reports.map { $0.status?.pid ?? 0 })
    try print(sum, output)
    guard let error = sum.firstError else { return .done }
    StandardError.say("\(sum.errors) operations failed; the first: \(error)")
    return ExitCode(rawValue: error.exitCode) ?? .softwareError
  }

  /// Writes all keys, unless the last of them is there already: what a read or range is to find.
  private func load(_ client: Client) throws(CommandError) {
    let last = plan.key(keys - 1)
    let present = try asking { () throws(ClientError) in try client.get(last) }
    if present?.value.count == valueSize { return }
    global.say("loading \(keys) keys")
    var failure: ClientError?
    let writer = client.writer(window: 512) { _, outcome in
      if case .failure(let error) = outcome { failure = failure ?? error }
    }
    var progress = ProgressLine(quiet: global.quiet)
    var random = SplitMix64(seed: 1)
    for number in 0..<keys where failure == nil {
      // The last key comes last of all: it stands for the others.
      if number == keys - 1 { writer.finish() }
      writer.add(plan.key(number), plan.value(&random))
      progress.show("\(number) of \(keys) keys loaded")
    }
    writer.finish()
    progress.clear()
    if let failure { throw .client(failure) }
  }

  private func print(_ sum: BenchRun.Sum, _ output: OutputStream) throws(CommandError) {
    let operations = sum.latencies.total
    let seconds = Double(sum.nanoseconds) / 1e9
    let rate = Double(operations) / max(seconds, 1e-9)
    let quantiles = [0.5, 0.99, 0.999].map { Double(sum.latencies.quantile($0)) / 1000 }
    let processor = sum.processorMicroseconds.map { Double($0) / Double(max(1, operations)) }
    let pause = sum.longestPause.map { Double($0) / 1e6 }
    guard global.json else {
      let used = processor.map { "\(Int($0.rounded())) µs of the nodes' processors each" } ?? "nodes elsewhere"
      let shown = quantiles.map { "\(Int($0.rounded()))" }
      return try output.line(
        "\(workload.rawValue): \(clients) clients, \(operations) operations, \(sum.errors) errors,"
          + " \(Int(rate.rounded()))/s, p50 \(shown[0]) µs, p99 \(shown[1]) µs, p99.9 \(shown[2]) µs,"
          + (pause.map { " longest pause \(Int($0.rounded(.up))) ms," } ?? "") + " \(used)")
    }
    var object = JSONObject()
    object.string("workload", workload.rawValue)
    object.number("clients", clients)
    object.number("ops", operations)
    object.number("errors", sum.errors)
    object.number("seconds", seconds)
    object.number("ops_per_s", rate)
    object.number("p50_us", quantiles[0])
    object.number("p99_us", quantiles[1])
    object.number("p999_us", quantiles[2])
    object.number("server_cpu_us_per_op", processor ?? .nan)
    object.number("longest_pause_ms", pause ?? .nan)
    try output.write(object.line)
  }
}
