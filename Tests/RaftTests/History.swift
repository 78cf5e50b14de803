import Bytes

@testable import Raft

/// All that ever happened in a cluster, and what must hold of it (Raft paper, figure 3). Faults are collected, not
/// thrown, so that a run can be told whole.
struct History {
  private struct Place: Hashable {
    let index: LogIndex
    let term: Term
  }

  private(set) var faults: [String] = []
  private var leaders: [Term: ReplicaID] = [:]
  private var places: [Place: (entry: LogEntry, previous: Term)] = [:]
  /// What was committed, anywhere; position i is index `first` + i.
  private var committed: [(entry: LogEntry, by: Term)] = []
  private var first: LogIndex
  private var digests: [LogIndex: UInt64] = [:]
  private var commitSeen: [ReplicaID: LogIndex] = [:]
  private var roleSeen: [ReplicaID: Term] = [:]
  private(set) var elections = 0
  var readsAnswered = 0
  var leasesSeen = 0
  var installs = 0
  var changes = 0
  var transfers = 0
  var pulsesCounted = 0

  init(first: LogIndex) { self.first = first }

  var maxCommit: LogIndex { first + committed.count + -1 }

  mutating func fault(_ text: String) { if faults.count < 20 { faults.append(text) } }

  func committed(at index: LogIndex) -> LogEntry? {
    index >= first && index <= maxCommit ? committed[index - first].entry : nil
  }

  /// Log matching: index and term of an entry decide its content and what is before it.
  mutating func wrote(_ entries: [LogEntry], _ core: RaftCore) {
    guard let head = entries.first else { return }
    var previous = core.log.term(at: head.index.previous) ?? .zero
    for entry in entries {
      let place = Place(index: entry.index, term: entry.term)
      if let known = places[place] {
        if known.entry != entry || known.previous != previous && previous != .zero {
          fault("log matching: \(core.id) has another entry \(entry.index) of term \(entry.term)")
        }
      } else {
        places[place] = (entry, previous)
      }
      previous = entry.term
    }
  }

  /// To be called after every call of a core.
  mutating func observe(_ core: RaftCore) {
    if core.isLeader, roleSeen[core.id] != core.term {
      roleSeen[core.id] = core.term
      if let other = leaders[core.term], other != core.id {
        fault("election safety: \(other) and \(core.id) lead in term \(core.term)")
      }
      leaders[core.term] = core.id
      elections += 1
      // Leader completeness: it has what leaders of earlier terms committed.
      for (entry, by) in committed.suffix(200) where by < core.term && entry.index > core.log.base.index {
        if !core.log.matches(entry.index, entry.term) {
          fault("leader completeness: \(core.id) leads term \(core.term) without \(entry.index)@\(entry.term)")
        }
      }
    }
    let seen = commitSeen[core.id] ?? .zero
    guard core.commit > seen else { return }
    commitSeen[core.id] = core.commit
    let from = max(seen.next, core.log.base.index.next, first)
    for entry in core.log.slice(from: from, through: core.commit) {
      if let known = committed(at: entry.index) {
        if known != entry { fault("state machine safety: \(core.id) committed another \(entry.index)") }
      } else if entry.index == maxCommit.next {
        committed.append((entry, core.term))
      } else {
        fault("\(core.id) committed \(entry.index) before \(maxCommit.next)")
      }
    }
  }

  /// A restarted replica may have forgotten what was committed.
  mutating func restarted(_ id: ReplicaID) { commitSeen[id] = nil }

  mutating func applied(_ machine: TestSnapshot, by id: ReplicaID) {
    if let digest = digests[machine.index], digest != machine.digest {
      fault("state machine safety: \(id) has another state at \(machine.index)")
    }
    digests[machine.index] = machine.digest
    if machine.index > maxCommit { fault("\(id) applied \(machine.index), which is not committed") }
  }
}
