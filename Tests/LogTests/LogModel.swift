import Bytes
import Log

/// What a log must hold, kept in the simplest way there is.
struct LogModel: Equatable {
  struct Group: Equatable {
    var hardState = StoredHardState()
    var reset = LogPoint.start
    var compacted = LogIndex.zero
    var entries: [LogEntry] = []

    var last: LogIndex { compacted + entries.count }

    mutating func put(_ entry: LogEntry) {
      while let last = entries.last, last.index >= entry.index { entries.removeLast() }
      hardState.commit = min(hardState.commit, entry.index.previous)
      entries.append(entry)
    }

    mutating func compact(_ index: LogIndex) {
      compacted = max(compacted, index)
      entries = Array(entries.drop { $0.index <= index })
    }
  }

  var groups: [GroupID: Group] = [:]

  /// Applies a write and gives every state on the way that a crash may leave of it.
  mutating func apply(_ write: LogWrite) -> [LogModel] {
    var states: [LogModel] = []
    let saysNothing = write.hardState == nil && write.entries.isEmpty && write.reset == nil
    if saysNothing, write.compactedThrough == nil, !write.removed { return states }
    var group = groups[write.group] ?? Group()
    if let reset = write.reset {
      group.reset = reset
      group.compacted = reset.index
      group.entries = []
      group.hardState.commit = min(group.hardState.commit, reset.index)
    }
    for entry in write.entries {
      group.put(entry)
      if let hardState = write.hardState {
        group.hardState = hardState
        group.hardState.commit = min(hardState.commit, entry.index)
      }
      groups[write.group] = group
      states.append(self)
    }
    if let hardState = write.hardState {
      group.hardState = hardState
      group.hardState.commit = min(hardState.commit, group.last)
    }
    if let index = write.compactedThrough { group.compact(index) }
    groups[write.group] = write.removed ? nil : group
    states.append(self)
    return states
  }

  mutating func apply(_ batch: [LogWrite]) -> [LogModel] { batch.flatMap { apply($0) } }

  /// What was recovered, if all of it is intact.
  init?(_ recovered: RecoveredLog) {
    for (id, group) in recovered.groups {
      guard group.health == .intact else { return nil }
      groups[id] = Group(
        hardState: group.hardState, reset: group.reset, compacted: group.compactedThrough, entries: group.entries)
    }
  }

  init() {}
}

/// Makes random batches that a node might write.
struct LogScript {
  var random: SplitMix64
  var model = LogModel()
  var groupCount: UInt32 = 4
  var longestPayload = 200
  private var terms: [GroupID: UInt64] = [:]

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  /// A script that goes on from what was recovered.
  init(random: SplitMix64, model: LogModel, terms: [GroupID: UInt64] = [:]) {
    self.random = random
    self.model = model
    for (id, group) in model.groups {
      self.terms[id] = max(group.hardState.term.rawValue, group.entries.last?.term.rawValue ?? 0)
    }
  }

  private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }

  /// The next batch. `model` is then what the log must hold.
  mutating func batch() -> (writes: [LogWrite], states: [LogModel]) {
    var writes: [LogWrite] = []
    var states: [LogModel] = []
    for _ in 0..<1 + below(3) {
      let write = write(GroupID(rawValue: UInt32(below(Int(groupCount)))))
      writes.append(write)
      states += model.apply(write)
    }
    return (writes, states)
  }

  mutating func write(_ id: GroupID) -> LogWrite {
    let group = model.groups[id] ?? LogModel.Group()
    var write = LogWrite(group: id)
    let dice = below(100)
    if dice < 3 {
      write.removed = true
      return write
    }
    if below(4) == 0 { terms[id, default: 0] += 1 }
    let term = Term(rawValue: terms[id, default: 1])
    var start = group.last.next
    if dice < 6 {
      write.reset = LogPoint(index: group.last + below(20), term: term)
      start = (write.reset?.index ?? .zero).next
    } else if dice < 15, !group.entries.isEmpty {
      start = group.entries[below(group.entries.count)].index
    }
    if dice < 80 {
      for position in 0..<1 + below(4) {
        write.entries.append(
          LogEntry(
            term: term, index: start + position, kind: below(9) == 0 ? .membership : .command,
            payload: [UInt8](repeating: UInt8(below(256)), count: below(longestPayload))))
      }
    }
    let last = write.entries.last?.index ?? write.reset?.index ?? group.last
    if below(3) == 0 || write.reset != nil {
      let commit = LogIndex(rawValue: UInt64(below(Int(last.rawValue) + 4)))
      write.hardState = StoredHardState(term: term, vote: ReplicaID(rawValue: UInt64(below(4))), commit: commit)
    }
    if below(4) == 0, last > group.compacted {
      write.compactedThrough = LogIndex(rawValue: UInt64(max(0, Int(last.rawValue) - below(3))))
    }
    return write
  }
}
