import Bytes
import Client
import Synchronization

@testable import Commands

/// Keys whose values are numbers that only grow: a client of its own writes each, one write after the other. So it is
/// known of every read how old its answer may be at most.
final class Registers: Sendable {
  private struct State {
    /// The highest number sent.
    var sent: UInt64 = 0
    /// The highest number that a write was acknowledged with, or a finished read has seen: no later read may be below.
    var floor: UInt64 = 0

    mutating func raise(_ number: UInt64) { floor = max(floor, number) }
  }

  let keys: [Key]
  private let states: Mutex<[State]>

  /// A register in each partition.
  init(_ table: PartitionTable) {
    keys = table.groups.map { table.key("register/\($0)", in: $0) }
    states = Mutex(Array(repeating: State(), count: table.groups.count))
  }

  /// The next number to write.
  func next(_ index: Int) -> UInt64 {
    states.withLock { states in
      states[index].sent += 1
      return states[index].sent
    }
  }

  /// The number below which a read that is sent now must not answer.
  func floor(_ index: Int) -> UInt64 { states.withLock { $0[index].floor } }

  /// A write of this number was acknowledged.
  func acknowledged(_ index: Int, _ number: UInt64) { states.withLock { $0[index].raise(number) } }

  /// Judges the answer of a read that was sent when the register's floor was `floor`; what is wrong with it, or nil.
  func judge(_ index: Int, _ found: Found?, floor: UInt64) -> String? {
    let key = Escaping.text(keys[index].bytes)
    guard let number = found.map({ UInt64(String(decoding: $0.value, as: UTF8.self)) }) ?? 0 else {
      return "\(key) has a value that nobody wrote"
    }
    return states.withLock { states in
      if number < floor { return "stale: \(key) was read as \(number); before the read was sent it was \(floor)" }
      if number > states[index].sent { return "\(key) was read as \(number), which nobody wrote yet" }
      states[index].raise(number)
      return nil
    }
  }
}
