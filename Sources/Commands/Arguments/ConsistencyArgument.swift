import ArgumentParser
import Client

/// What `--consistency` takes: `strong`, `eventual` or `bounded:DURATION`.
struct ConsistencyArgument: ExpressibleByArgument {
  let consistency: Consistency

  init?(argument: String) {
    switch argument {
    case "strong": consistency = .strong
    case "eventual": consistency = .eventual
    default:
      let mark = "bounded:"
      guard argument.hasPrefix(mark), let limit = DurationArgument(argument: String(argument.dropFirst(mark.count))),
        (1...UInt64(Int32.max)).contains(limit.milliseconds)
      else { return nil }
      consistency = .bounded(milliseconds: limit.milliseconds)
    }
  }

  /// Whether the leader need not be asked.
  var isRelaxed: Bool { consistency != .strong }
}

extension Freshness {
  /// How fresh a read was, in words.
  var words: String {
    let lag = lagMilliseconds.map { "at most \($0) ms behind" } ?? "it could not tell how far behind"
    return "read from node \(node), \(lag)"
  }
}
