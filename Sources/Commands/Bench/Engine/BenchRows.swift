/// Times workloads and prints a line for each.
struct BenchRows {
  let json: Bool
  let output: OutputStream

  /// Times `body`, which says how many operations it did.
  func time(_ name: String, _ body: () throws(CommandError) -> UInt64) throws(CommandError) {
    let start = ProcessFacts.steadyNanoseconds
    let operations = try body()
    let nanoseconds = Double(ProcessFacts.steadyNanoseconds - start)
    let seconds = nanoseconds / 1e9
    let rate = Double(operations) / max(seconds, 1e-9)
    let each = nanoseconds / Double(max(1, operations))
    if json {
      var object = JSONObject()
      object.string("workload", name)
      object.number("ops", operations)
      object.number("seconds", seconds)
      object.number("ops_per_s", rate)
      object.number("ns_per_op", each)
      try output.write(object.line)
    } else {
      func padded(_ number: Double, _ width: Int) -> String {
        let digits = String(Int(number.rounded()))
        return String(repeating: " ", count: max(0, width - digits.utf8.count)) + digits
      }
      let head = name + String(repeating: " ", count: max(0, 24 - name.utf8.count))
      try output.line("\(head) \(padded(rate, 10)) ops/s \(padded(each, 10)) ns/op")
    }
    try output.flush()
  }
}
