import Node

/// Writes metrics in the text format of Prometheus (version 0.0.4): a head for each family, then its samples.
struct MetricsText {
  private(set) var text = ""

  /// A family of one sample, or of one for each value of a label.
  mutating func gauge(_ name: String, _ help: String, _ samples: [(label: String, value: Double)]) {
    family(name, help, "gauge", samples)
  }

  mutating func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) {
    family(name, help, "gauge", [("", Double(value))])
  }

  mutating func counter(_ name: String, _ help: String, _ samples: [(label: String, value: Double)]) {
    family(name, help, "counter", samples)
  }

  mutating func counter(_ name: String, _ help: String, _ value: some BinaryInteger) {
    family(name, help, "counter", [("", Double(value))])
  }

  private mutating func family(
    _ name: String, _ help: String, _ type: String, _ samples: [(label: String, value: Double)]
  ) {
    head(name, help, type)
    for sample in samples { line(name, sample.label, sample.value) }
  }

  /// A family of histograms, each with its label. Values are multiplied by `scale`; buckets from 2 to the power of
  /// `places.lowerBound` on are shown.
  mutating func histogram(
    _ name: String, _ help: String, scale: Double, places: ClosedRange<Int>,
    _ histograms: [(label: String, histogram: Histogram)]
  ) {
    head(name, help, "histogram")
    for (label, histogram) in histograms {
      var below: UInt64 = 0
      for (place, count) in histogram.counts.enumerated() {
        below += count
        guard places.contains(place) else { continue }
        let bound = Double(UInt64(1) << UInt64(place)) * scale
        line(name + "_bucket", (label.isEmpty ? [] : [label]) + ["le=\"\(MetricsText.number(bound))\""], Double(below))
      }
      line(name + "_bucket", (label.isEmpty ? [] : [label]) + ["le=\"+Inf\""], Double(histogram.count))
      line(name + "_sum", label, Double(histogram.sum) * scale)
      line(name + "_count", label, Double(histogram.count))
    }
  }

  private mutating func head(_ name: String, _ help: String, _ type: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private mutating func line(_ name: String, _ label: String, _ value: Double) {
    line(name, label.isEmpty ? [] : [label], value)
  }

  private mutating func line(_ name: String, _ labels: [String], _ value: Double) {
    let part = labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}"
    text += "\(name)\(part) \(MetricsText.number(value))\n"
  }

  /// A number without a fraction where it has none.
  private static func number(_ value: Double) -> String {
    value == value.rounded() && value.magnitude < 1e15 ? "\(Int64(value))" : "\(value)"
  }

  /// A label with its value, escaped as the format wants it.
  static func label(_ name: String, _ value: String) -> String {
    let escaped = value.map { character in
      switch character {
      case "\\": "\\\\"
      case "\"": "\\\""
      case "\n": "\\n"
      default: String(character)
      }
    }
    return "\(name)=\"\(escaped.joined())\""
  }
}
