import Bytes
import Table

/// Merges sorted sources into one stream of records in order, forward or backward. Of records with the same key and
/// version only that of the youngest source appears.
///
/// The sources are kept sorted by their records. There are few of them, and mostly the one that moved stays the first,
/// so that a step costs one comparison.
final class MergeCursor {
  private struct Lane {
    /// SAFETY: unowned, to save the counting of references at every step; `all` owns the sources and never changes.
    let reference: Unmanaged<RecordSource>
    /// 0 for the youngest.
    let age: Int

    @inline(__always) var source: RecordSource { reference._withUnsafeGuaranteedRef { $0 } }
  }

  private let isReverse: Bool
  private let all: [RecordSource]
  /// Those that stand on a record, by it.
  @exclusivity(unchecked) private var lanes: ContiguousArray<Lane> = []

  /// A cursor over sources of the same direction, the youngest first.
  init(_ sources: [RecordSource], isReverse: Bool) {
    self.isReverse = isReverse
    all = sources
    lanes.reserveCapacity(sources.count)
  }

  /// Whether the cursor stands on a record.
  @inline(__always) var isValid: Bool { !lanes.isEmpty }
  /// The record on which it stands, valid until it moves.
  @inline(__always) var view: RecordView { lanes[0].source.view }
  /// The word of its key.
  @inline(__always) var word: UInt64 { lanes[0].source.word }

  /// Moves as `RecordSource.seek` says.
  func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) throws(StoreError) {
    lanes.removeAll(keepingCapacity: true)
    for (age, source) in all.enumerated().reversed() {
      try source.seek(key, version)
      guard source.isValid else { continue }
      lanes.insert(Lane(reference: .passUnretained(source), age: age), at: 0)
      try settle(0)
    }
  }

  /// Moves to the next record in the cursor's direction.
  func advance() throws(StoreError) {
    try lanes[0].source.advance()
    if lanes.count == 1, lanes[0].source.isValid { return }
    try settle(0)
  }

  /// Takes a lane to its place after it moved; those behind it are sorted.
  private func settle(_ start: Int) throws(StoreError) {
    var at = start
    guard lanes[at].source.isValid else {
      lanes.remove(at: at)
      return
    }
    while at + 1 < lanes.count {
      let order = compare(lanes[at].source, lanes[at + 1].source)
      if order < 0 { return }
      if order == 0 {
        // The same record twice: the elder goes on.
        if lanes[at].age < lanes[at + 1].age {
          lanes.swapAt(at, at + 1)
        }
        try lanes[at].source.advance()
        return try settle(at)
      }
      lanes.swapAt(at, at + 1)
      at += 1
    }
  }

  @inline(__always)
  private func compare(_ left: RecordSource, _ right: RecordSource) -> Int {
    var order = left.word < right.word ? -1 : 1
    if left.word == right.word {
      order = RecordOrder.compare(left.view.key, left.view.version, right.view.key, right.view.version)
    }
    return isReverse ? -order : order
  }
}
