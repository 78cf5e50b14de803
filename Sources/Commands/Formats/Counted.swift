/// So many of a thing, in words: `1 node`, `2 nodes`.
func counted(_ count: some BinaryInteger, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}

/// Numbers in words, ascending: `1 to 4, 7`.
func runs<Number: FixedWidthInteger>(_ numbers: [Number]) -> String {
  var runs: [ClosedRange<Number>] = []
  for number in numbers.sorted() {
    if let last = runs.last, last.upperBound + 1 == number {
      runs[runs.count - 1] = last.lowerBound...number
    } else {
      runs.append(number...number)
    }
  }
  let words = runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)" }
  return words.joined(separator: ", ")
}
