import Bytes
import Raft

/// A replica's disk: what is written in order, durable only after a sync.
struct TestDisk {
  /// One write that a core asked for, with what waits for it.
  struct Write {
    var ticket: UInt64 = 0
    var hardState: HardState?
    var entries: [LogEntry] = []
    var install: TestSnapshot?
    var messages: [Message] = []
  }

  var hardState = HardState()
  var base: (index: LogIndex, term: Term) = (.zero, .zero)
  var entries: [LogEntry] = []
  /// The state machine as flushed: how far it was applied, its digest and the membership there.
  var machine = TestSnapshot()

  mutating func perform(_ write: Write) {
    if let hard = write.hardState { hardState = hard }
    if let first = write.entries.first {
      entries.removeAll { $0.index >= first.index }
      entries += write.entries
    }
    if let snapshot = write.install {
      base = (snapshot.index, snapshot.term)
      entries = []
      machine = snapshot
    }
  }

  mutating func compact(through index: LogIndex) {
    guard let entry = entries.first(where: { $0.index == index }) else { return }
    base = (index, entry.term)
    entries.removeAll { $0.index <= index }
  }
}

/// A state machine's whole state: a digest of all that was applied.
struct TestSnapshot: Equatable {
  var index = LogIndex.zero
  var term = Term.zero
  var digest: UInt64 = 0
  var membership = Membership()

  var header: SnapshotHeader { SnapshotHeader(index: index, term: term, membership: membership) }

  mutating func apply(_ entry: LogEntry) {
    index = entry.index
    term = entry.term
    for byte in entry.payload { digest = SplitMix64.mix(digest ^ UInt64(byte)) }
    digest = SplitMix64.mix(digest ^ entry.index.rawValue)
  }
}
