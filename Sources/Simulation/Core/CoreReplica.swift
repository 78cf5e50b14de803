import Bytes
import Raft

/// One replica's consensus core with a disk and a state machine in memory: the least that a node must be (kv-raft(7)).
final class CoreReplica {
  /// What a core asked to be written, with the messages that wait for it.
  private struct Write {
    let ticket: UInt64
    var hardState: HardState?
    var entries: [LogEntry] = []
    var messages: [Message] = []
    var snapshot: CoreSnapshot?
  }

  let id: ReplicaID
  let options: RaftOptions
  /// Nil while it is down.
  private(set) var core: RaftCore?
  /// Whether writes wait until `sync` is called.
  var isStalled = false
  var isFrozen = false
  /// The commands that were applied, in words.
  private(set) var machine = CoreSnapshot()
  private(set) var answeredReads: [UInt64: LogIndex] = [:]
  private(set) var rejectedReads: Set<UInt64> = []
  /// Reads that wait for the log to be applied that far.
  private var confirmedReads: [(context: UInt64, index: LogIndex)] = []
  /// Messages that may leave.
  private(set) var outbox: [Message] = []
  var arrived: CoreSnapshot?

  // What survives a crash.
  private var hardState = HardState()
  private var base: (index: LogIndex, term: Term)
  private var entries: [LogEntry] = []
  private var flushed: CoreSnapshot
  private var pending: [Write] = []

  init(id: ReplicaID, options: RaftOptions, flushed: CoreSnapshot, entries: [LogEntry] = [], hardState: HardState) {
    self.id = id
    self.options = options
    self.flushed = flushed
    self.entries = entries
    self.hardState = hardState
    base = (flushed.index, flushed.term)
  }

  /// The entries on its disk and on their way there.
  var log: [LogEntry] {
    var all = entries
    for write in pending {
      guard let first = write.entries.first else { continue }
      all.removeAll { $0.index >= first.index }
      all += write.entries
    }
    return all
  }

  func start(seed: UInt64, now: UInt64) {
    machine = flushed
    core = RaftCore(
      id: id, options: options, hardState: hardState, membership: flushed.membership, compacted: base,
      entries: entries, applied: flushed.index, seed: seed, now: now)
    drain(now)
  }

  /// Stops at once; of what was being written the first `kept` writes survive.
  func crash(keeping kept: Int = 0) {
    for write in pending.prefix(kept) { perform(write) }
    core = nil
    isFrozen = false
    (pending, outbox, confirmedReads, arrived) = ([], [], [], nil)
  }

  /// Forgets all that it ever had.
  func wipe() {
    crash()
    (hardState, base, entries, flushed) = (HardState(), (.zero, .zero), [], CoreSnapshot())
  }

  /// Makes the state machine's state durable, and forgets the log before it.
  func flush() {
    guard core != nil, machine.index > base.index else { return }
    flushed = machine
    core?.compact(through: machine.index)
    base = (machine.index, machine.term)
    entries.removeAll { $0.index <= machine.index }
  }

  func call<T>(now: UInt64, _ body: (inout RaftCore) throws -> T) rethrows -> T? {
    // Taken out while it is worked on, so that nothing of it is copied.
    guard var own = core.take() else { return nil }
    defer {
      core = own
      drain(now)
    }
    return try body(&own)
  }

  /// Makes everything written so far durable.
  func sync(now: UInt64) {
    while !pending.isEmpty, core != nil {
      let write = pending.removeFirst()
      perform(write)
      outbox += write.messages
      if let snapshot = write.snapshot {
        machine = snapshot
        core?.installed(snapshot: snapshot.header, now: now)
      } else {
        core?.persisted(ticket: write.ticket, now: now)
      }
    }
    drain(now)
  }

  private func perform(_ write: Write) {
    if let state = write.hardState { hardState = state }
    if let first = write.entries.first {
      entries.removeAll { $0.index >= first.index }
      entries += write.entries
    }
    if let snapshot = write.snapshot {
      (flushed, base, entries) = (snapshot, (snapshot.index, snapshot.term), [])
    }
  }

  private func drain(_ now: UInt64) {
    while let ready = core?.nextReady() {
      outbox += ready.immediate
      var write = Write(ticket: ready.ticket)
      write.hardState = ready.hardState
      write.entries = ready.entries
      write.messages = ready.afterPersist
      if ready.hardState != nil || !ready.entries.isEmpty || !ready.afterPersist.isEmpty { pending.append(write) }
      if let header = ready.snapshot {
        if let arrived, arrived.header == header {
          var install = Write(ticket: ready.ticket)
          install.snapshot = arrived
          pending.append(install)
        } else {
          core?.installFailed(snapshot: header, now: now)
        }
      }
      for entry in ready.committed { apply(entry, now) }
      for read in ready.readStates { confirmedReads.append((read.context, read.index)) }
      rejectedReads.formUnion(ready.rejectedReads)
      for read in confirmedReads where read.index <= machine.index { answeredReads[read.context] = read.index }
      confirmedReads.removeAll { $0.index <= machine.index }
    }
    if !isStalled, !pending.isEmpty { sync(now: now) }
  }

  private func apply(_ entry: LogEntry, _ now: UInt64) {
    machine.index = entry.index
    machine.term = entry.term
    switch entry.kind {
    case .command where !entry.payload.isEmpty: machine.commands.append(String(decoding: entry.payload, as: UTF8.self))
    case .membership:
      if let change = try? MembershipChange(payload: entry.payload) {
        machine.membership = core?.apply(membership: change, at: entry.index, now: now) ?? machine.membership
      }
    default: break
    }
    core?.applied(to: entry.index)
  }

  func takeOutbox() -> [Message] {
    defer { outbox.removeAll(keepingCapacity: true) }
    return outbox
  }
}

/// A state machine's whole state: the commands that were applied.
struct CoreSnapshot: Equatable {
  var index = LogIndex.zero
  var term = Term.zero
  var membership = Membership()
  var commands: [String] = []

  var header: SnapshotHeader { SnapshotHeader(index: index, term: term, membership: membership) }
}
