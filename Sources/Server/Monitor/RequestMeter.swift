import Environment
import Node
import Wire

/// How long requests of clients and other nodes took here, how many failed, and how many bytes they were. Touched on
/// the node's loop alone.
struct RequestMeter: Sendable {
  /// What is told apart.
  enum Kind: String, CaseIterable {
    case write, get, range, other

    init(_ body: WireRequest.OneOf_Body?) {
      switch body {
      case .write: self = .write
      case .get: self = .get
      case .range: self = .range
      default: self = .other
      }
    }
  }

  /// Of one kind.
  struct Tally: Sendable {
    /// From when a request was read until its answer was ready, in nanoseconds.
    var latency = Histogram()
    /// How many ended in a failure, false conditions among them.
    var failures: UInt64 = 0
  }

  private var tallies = [Tally](repeating: Tally(), count: Kind.allCases.count)
  var receivedBytes: UInt64 = 0
  var sentBytes: UInt64 = 0

  subscript(kind: Kind) -> Tally { tallies[RequestMeter.place(kind)] }

  /// Notes that a request was answered.
  mutating func note(_ kind: Kind, nanoseconds: UInt64, _ answer: WireResponse.OneOf_Body) {
    let place = RequestMeter.place(kind)
    tallies[place].latency.record(nanoseconds)
    if case .failure = answer { tallies[place].failures += 1 }
  }

  private static func place(_ kind: Kind) -> Int {
    switch kind {
    case .write: 0
    case .get: 1
    case .range: 2
    case .other: 3
    }
  }
}
