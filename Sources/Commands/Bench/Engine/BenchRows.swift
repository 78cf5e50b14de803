/// Times workloads and prints a line for each.
struct BenchRows {
  let json: Bool
  let output: OutputStream

  /// A number beside those that every workload has.
  struct Figure {
    let name: String
    let value: Double

    init(_ name: String, _ value: some BinaryInteger) { (self.name, self.value) = (name, Double(value)) }
    init(_ name: String, ratio: Double) { (self.name, value) = (name, ratio) }

    fileprivate var text: String {
      name + " " + (value == value.rounded() ? String(Int(value)) : String((value * 1000).rounded() / 1000))
    }
  }

  /// Times `body`, which says how many operations it did; `figures` are looked at after it.
  func time(
    _ name: String, figures: () -> [Figure] = { [] }, _ body: () throws(CommandError) -> UInt64
  ) throws(CommandError) {
    let start = ProcessFacts.steadyNanoseconds
    let operations = try body()
    let nanoseconds = Double(ProcessFacts.steadyNanoseconds - start)
    let seconds = nanoseconds / 1e9
    let rate = Double(operations) / max(seconds, 1e-9)
    let each = nanoseconds / Double(max(1, operations))
    let figures = figures() + (ProcessFacts.residentKibibytes.map { [Figure("resident_kib", $0)] } ?? [])
    if json {
      var object = JSONObject()
      object.string("workload", name)
      object.number("ops", operations)
      object.number("seconds", seconds)
      object.number("ops_per_s", rate)
      object.number("ns_per_op", each)
      for figure in figures { object.number(figure.name, figure.value) }
      try output.write(object.line)
    } else {
      func padded(_ number: Double, _ width: Int) -> String {
        let digits = String(Int(number.rounded()))
        return String(repeating: " ", count: max(0, width - digits.utf8.count)) + digits
      }
      let head = name + String(repeating: " ", count: max(0, 24 - name.utf8.count))
      let tail = figures.map { "  " + $0.text }.joined()
      try output.line("\(head) \(padded(rate, 10)) ops/s \(padded(each, 10)) ns/op\(tail)")
    }
    try output.flush()
  }
}
