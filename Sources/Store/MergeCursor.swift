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
  ///
  /// SAFETY: owned, with room for all sources; the first `count` are initialized, and of a trivial type. Not an array, of
  /// which every step would count the references.
  private let lanes: UnsafeMutablePointer<Lane>
  @exclusivity(unchecked) private var count = 0

  /// A cursor over sources of the same direction, the youngest first.
  init(_ sources: [RecordSource], isReverse: Bool) {
    self.isReverse = isReverse
    all = sources
    lanes = .allocate(capacity: max(1, sources.count))
  }

  deinit { lanes.deallocate() }

  /// Where it stands.
  @inline(__always)
  private var first: RecordSource {
    precondition(count > 0, "the cursor stands nowhere")
    return lanes.pointee.source
  }

  /// Whether each key comes once: there is one source, of tables of the current tier.
  var isPlain: Bool { all.count == 1 && all[0].tier == .current && all[0] is ChainSource }
  /// Whether the cursor stands on a record.
  @inline(__always) var isValid: Bool { count > 0 }
  /// The record on which it stands, valid until it moves.
  @inline(__always) var view: RecordView { first.view }
  /// The word of its key.
  @inline(__always) var word: UInt64 { first.word }
  /// Which of the two the record is.
  @inline(__always) var tier: Tier { first.tier }

  /// Moves as `RecordSource.seek` says.
  func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) throws(StoreError) {
    count = 0
    for (age, source) in all.enumerated() {
      try source.seek(key, version)
      guard source.isValid else { continue }
      (lanes + count).initialize(to: Lane(reference: .passUnretained(source), age: age))
      count += 1
    }
    for at in stride(from: count / 2 - 1, through: 0, by: -1) { settle(at) }
  }

  /// Moves to the next record in the cursor's direction.
  @inline(__always)
  func advance() throws(StoreError) {
    // Not thrown in the closure, whose errors have no type.
    let error = lanes.pointee.reference._withUnsafeGuaranteedRef { (source) -> StoreError? in
      do throws(StoreError) {
        try source.advance()
        return nil
      } catch {
        return error
      }
    }
    if let error { throw error }
    if count == 1, first.isValid { return }
    settleFirst()
  }

  private func settleFirst() {
    if !first.isValid {
      count -= 1
      lanes[0] = lanes[count]
    }
    settle(0)
  }

  /// Takes a lane down to its place; the heaps below it are in order.
  private func settle(_ start: Int) {
    var at = start
    while true {
      var child = 2 &* at &+ 1
      guard child < count else { return }
      if child &+ 1 < count, precedes(lanes[child &+ 1], lanes[child]) { child &+= 1 }
      guard precedes(lanes[child], lanes[at]) else { return }
      (lanes[at], lanes[child]) = (lanes[child], lanes[at])
      at = child
    }
  }

  @inline(__always)
  private func precedes(_ left: Lane, _ right: Lane) -> Bool {
    left.reference._withUnsafeGuaranteedRef { one in
      right.reference._withUnsafeGuaranteedRef { other in
        if one.word != other.word { return (one.word < other.word) != isReverse }
        let order = RecordOrder.compare(one.view.key, one.view.version, other.view.key, other.view.version)
        return (order != 0 ? order < 0 : left.age < right.age) != isReverse
      }
    }
  }
}
