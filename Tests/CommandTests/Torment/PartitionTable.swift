import Bytes
import Client
import Glibc
import HashRing
import Wire

@testable import Commands

/// Which partition each key is in, and where its leader is: for tests that aim at one partition.
struct PartitionTable: Sendable {
  private struct Part {
    let arc: Arc
    let group: UInt32
  }
  private let parts: [Part]

  /// The table of a cluster, as one of its nodes knows it.
  init(_ client: Client) throws {
    parts = try client.map().partitions.map { partition in
      Part(arc: try Arc(validating: UInt64(partition.bits), prefix: partition.prefix), group: partition.group)
    }
  }

  /// The groups of all partitions.
  var groups: [UInt32] { parts.map(\.group) }

  /// The group of a key's partition.
  func group(of key: Key) -> UInt32 {
    let position = Position(of: key)
    return parts.first { $0.arc.contains(position) }?.group ?? 0
  }

  /// The first key of a partition that begins with these words and ends in a number.
  func key(_ words: String, in group: UInt32) -> Key {
    var number = 0
    while true {
      let key = Key("\(words)/\(number)")
      if self.group(of: key) == group { return key }
      number += 1
    }
  }
}

/// Who leads what, as the nodes tell it now.
struct Leaders {
  /// The process id of the node that leads each group; 0 is the catalog's.
  private(set) var processes: [UInt32: pid_t] = [:]

  /// Asks all nodes. Of two that both claim a group, the one of the higher term is right.
  init(_ client: Client) throws {
    var terms: [UInt32: UInt64] = [:]
    for status in try client.status().compactMap(\.status) {
      for group in status.groups where group.role == .leader && group.term > terms[group.group] ?? 0 {
        terms[group.group] = group.term
        processes[group.group] = pid_t(status.pid)
      }
    }
  }

  /// The partitions that a process leads.
  func partitions(of pid: pid_t) -> [UInt32] {
    processes.filter { $0.key != 0 && $0.value == pid }.keys.sorted()
  }

  func leadsCatalog(_ pid: pid_t) -> Bool { processes[0] == pid }
}
