import ArgumentParser
import Bytes
import Client

/// What a benchmark does again and again.
enum BenchWorkload: String, CaseIterable, ExpressibleByArgument, Sendable {
  /// Writes a random key.
  case put
  /// Reads a random key.
  case get
  /// Reads some records in order from a random key on.
  case range
}

/// A benchmark: what, how much, how long.
struct BenchPlan: Sendable {
  let workload: BenchWorkload
  let clients: Int
  let keys: Int
  let keySize: Int
  let valueSize: Int
  let limit: Int
  /// The version that is read at; nil: the latest.
  var version: Version?
  /// What the latest is.
  var consistency = Consistency.strong
  let end: BenchEnd

  /// After how many operations of all clients together it is over.
  var operations: Int { if case .operations(let count) = end { count } else { .max } }

  /// After how many milliseconds it is over; nil: that doesn't matter.
  var milliseconds: UInt64? { if case .milliseconds(let time) = end { time } else { nil } }

  /// The key with a number: `k` and the number in decimal digits, as long as keys are to be.
  func key(_ number: Int) -> Key {
    let digits = String(number)
    return Key("k" + String(repeating: "0", count: max(0, keySize - 1 - digits.count)) + digits)
  }

  /// A value of random bytes.
  func value(_ random: inout SplitMix64) -> [UInt8] {
    var value: [UInt8] = []
    value.reserveCapacity(valueSize + 7)
    while value.count < valueSize {
      withUnsafeBytes(of: random.next()) { value.append(contentsOf: $0) }
    }
    return Array(value.prefix(valueSize))
  }
}

/// When a benchmark is over.
enum BenchEnd: Sendable {
  /// After so many operations of all clients together.
  case operations(Int)
  /// After so many milliseconds.
  case milliseconds(UInt64)
}
