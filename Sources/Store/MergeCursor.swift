import Bytes
import Table

/// Merges sorted sources into one stream of records in order, forward or backward. Of records with the same key and version
/// that of the youngest source comes first; backward, last.
///
/// A binary heap of the sources by their records, so that a step costs two comparisons where the same source stays first.
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
  /// Those that stand on a record, as a heap.
  @exclusivity(unchecked) private var lanes: ContiguousArray<Lane> = []

  /// A cursor over sources of the same direction, the youngest first.
  init(_ sources: [RecordSource], isReverse: Bool) {
    self.isReverse = isReverse
    all = sources
    lanes.reserveCapacity(sources.count)
  }

  /// Whether each key comes once: there is one source, of tables of the current tier.
  var isPlain: Bool { all.count == 1 && all[0].tier == .current && all[0] is ChainSource }
  /// Whether the cursor stands on a record.
  @inline(__always) var isValid: Bool { !lanes.isEmpty }
  /// The record on which it stands, valid until it moves.
  @inline(__always) var view: RecordView { lanes[0].source.view }
  /// The word of its key.
  @inline(__always) var word: UInt64 { lanes[0].source.word }
  /// Which of the two the record is.
  @inline(__always) var tier: Tier { lanes[0].source.tier }

  /// Moves as `RecordSource.seek` says.
  func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) throws(StoreError) {
    lanes.removeAll(keepingCapacity: true)
    for (age, source) in all.enumerated() {
      try source.seek(key, version)
      if source.isValid { lanes.append(Lane(reference: .passUnretained(source), age: age)) }
    }
    for at in stride(from: lanes.count / 2 - 1, through: 0, by: -1) { settle(at) }
  }

  /// Moves to the next record in the cursor's direction.
  @inline(__always)
  func advance() throws(StoreError) {
    try lanes[0].source.advance()
    if lanes.count == 1, lanes[0].source.isValid { return }
    settleFirst()
  }

  private func settleFirst() {
    if !lanes[0].source.isValid {
      lanes.swapAt(0, lanes.count - 1)
      lanes.removeLast()
    }
    settle(0)
  }

  /// Takes a lane down to its place; the heaps below it are in order.
  private func settle(_ start: Int) {
    let count = lanes.count
    var at = start
    while true {
      var child = 2 &* at &+ 1
      guard child < count else { return }
      if child &+ 1 < count, precedes(lanes[child &+ 1], lanes[child]) { child &+= 1 }
      guard precedes(lanes[child], lanes[at]) else { return }
      lanes.swapAt(at, child)
      at = child
    }
  }

  @inline(__always)
  private func precedes(_ left: Lane, _ right: Lane) -> Bool {
    let (one, other) = (left.source, right.source)
    if one.word != other.word { return (one.word < other.word) != isReverse }
    let order = RecordOrder.compare(one.view.key, one.view.version, other.view.key, other.view.version)
    return (order != 0 ? order < 0 : left.age < right.age) != isReverse
  }
}
