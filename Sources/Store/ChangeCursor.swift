public import Bytes
import Table

/// What a walk over the past of a range of keys shows.
public struct ChangeQuery: Sendable {
  /// Which records of a key.
  public enum Scope: Sendable {
    /// Of each key that was written or deleted after `since` its state at `at`; a tombstone where it has none.
    case lastChanges
    /// Every record alive at some version from `since` to `at`. Deletions show as gaps.
    case all
    /// The same, without those that were alive throughout.
    case allChanged
  }

  /// The first key; nil for the first of all.
  public var lower: Key?
  /// Of `lower` only records below this version; nil: all.
  public var below: Version?
  /// The key behind the last; nil for none.
  public var upper: Key?
  /// The earlier version.
  public var since: Version
  /// The later one.
  public var at: Version
  /// Which records.
  public var scope: Scope

  /// A query of these parts.
  public init(
    lower: Key? = nil, below: Version? = nil, upper: Key? = nil, since: Version, at: Version, scope: Scope
  ) {
    self.lower = lower
    self.below = below
    self.upper = upper
    self.since = since
    self.at = at
    self.scope = scope
  }
}

/// The records of a store that a query asks for, by key, the newest of a key first.
///
/// Valid until the store's next `apply`, `freeze` or `install`: to use one afterwards is a bug, and stops the process.
public final class ChangeCursor {
  /// What a step found.
  public enum Step {
    case found(Lifespan)
    /// As many records were looked at as was allowed; what comes next is at or behind this place.
    case paused(Key, below: Version)
    case end
  }

  private let store: PartitionStore
  private let generation: UInt64
  private let query: ChangeQuery
  private let stream: VersionStream
  private var key: Key?
  /// What replaced the key's next older record, of what isn't newer than `at`.
  private var to = Version.max
  /// Whether nothing of the key is wanted any more.
  private var isDone = false

  init(_ store: PartitionStore, _ query: ChangeQuery, _ stream: VersionStream) {
    self.store = store
    self.query = query
    self.stream = stream
    generation = store.generation
  }

  /// The next record, after looking at `patience` at most; what was looked at is taken off it.
  public func next(patience: inout Int) throws(StoreError) -> Step {
    precondition(generation == store.generation, "a cursor was used after its store had changed")
    while let view = try stream.peek() {
      if key?.bytes.withRawBytes({ compareBytes(view.key, $0) }) != 0 {
        let next = Key(Array(view.key))
        if let upper = query.upper, next >= upper { return .end }
        (key, to, isDone) = (next, .max, false)
      }
      let version = view.version
      guard let key else { return .end }
      let isBehind = key == query.lower && query.below.map { version >= $0 } ?? false
      let found = look(at: view, key)
      stream.skip()
      if isBehind { continue }
      if let found { return .found(found) }
      patience -= 1
      if patience <= 0 { return .paused(key, below: version) }
    }
    return .end
  }

  private func look(at view: RecordView, _ key: Key) -> Lifespan? {
    guard !isDone, view.version <= query.at else { return nil }
    let ended = to
    to = view.version
    switch query.scope {
    case .lastChanges:
      isDone = true
      return view.version > query.since ? Lifespan(record(view, key), to: .max) : nil
    case .all, .allChanged:
      guard ended > query.since else {
        isDone = true
        return nil
      }
      let isUnchanged = view.version <= query.since && ended == .max
      guard view.kind == .value, query.scope == .all || !isUnchanged else { return nil }
      return Lifespan(record(view, key), to: ended)
    }
  }

  private func record(_ view: RecordView, _ key: Key) -> Record {
    Record(key: key, version: view.version, kind: view.kind, value: Array(view.value))
  }
}
