import Bytes
import Store
import Table

/// Merges the cursors of several partitions into key order. A key is in one partition, so none comes twice.
///
/// SAFETY: a head is lent by its cursor until that is asked for its next record, which `advance` alone does and then
/// replaces the head. Nothing else touches the stores meanwhile: a part of a range is read in one turn of the node.
struct RangeMerge {
  private let isReverse: Bool
  private var cursors: [StoreCursor] = []
  /// A binary heap, the next key at its root.
  private var heap: [Head] = []
  /// Whether the root was given out.
  private var hasLent = false

  /// A cursor's next record.
  ///
  /// SAFETY: unowned, to save the counting of references at every step; `cursors` owns it as long as the merge lives.
  private struct Head {
    let record: RecordView
    let cursor: Unmanaged<StoreCursor>
  }

  init(isReverse: Bool) {
    self.isReverse = isReverse
  }

  mutating func add(_ cursor: StoreCursor) throws(StoreError) {
    guard let record = try cursor.nextView() else { return }
    heap.append(Head(record: record, cursor: .passUnretained(cursor)))
    cursors.append(cursor)
    var child = heap.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// The next record, lent until the next call; nil after the last.
  mutating func next() throws(StoreError) -> RecordView? {
    if hasLent { try advance() }
    hasLent = !heap.isEmpty
    return heap.first?.record
  }

  /// Whether no record follows the one that was given out last, which is lent no more.
  mutating func isAtEnd() throws(StoreError) -> Bool {
    if hasLent { try advance() }
    hasLent = false
    return heap.isEmpty
  }

  /// Replaces the root by its cursor's next record.
  private mutating func advance() throws(StoreError) {
    let cursor = heap[0].cursor
    // Not thrown in the closure, whose errors have no type.
    let next = cursor._withUnsafeGuaranteedRef { (cursor) -> Result<RecordView?, StoreError> in
      do throws(StoreError) { return .success(try cursor.nextView()) } catch { return .failure(error) }
    }
    if let record = try next.get() {
      heap[0] = Head(record: record, cursor: cursor)
    } else {
      heap.swapAt(0, heap.count - 1)
      heap.removeLast()
    }
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) { least = child }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    let order = compareBytes(heap[left].record.key, heap[right].record.key)
    return isReverse ? order > 0 : order < 0
  }
}
