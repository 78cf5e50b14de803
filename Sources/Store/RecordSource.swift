import Bytes
import Table

/// One sorted stream of records on its way into a merge, forward or backward. Stands on its first record after `seek`.
///
/// SAFETY: `view` points into what the source holds, a block or a memtable, and counts until the source moves; keys are lent for
/// the duration of a call.
class RecordSource {
  // Exclusivity isn't checked at run time: no access to a member spans a call that could come back to it.

  /// The record on which the source stands, valid until it moves.
  @exclusivity(unchecked) final var view = RecordView.none
  /// The word (`RecordOrder.word`) of its key.
  @exclusivity(unchecked) final var word: UInt64 = 0
  /// Whether it stands on a record.
  @exclusivity(unchecked) final var isValid = false
  /// Which of the two its records are.
  final let tier: Tier

  init(tier: Tier) {
    self.tier = tier
  }

  /// Moves to the first record in the source's direction from (key, version): forward the first at or after it,
  /// backward the last before it. Without a key, to the first or last of all.
  func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) throws(StoreError) {
    preconditionFailure("a source must say how it seeks")
  }

  /// Moves one record in the source's direction.
  func advance() throws(StoreError) {
    preconditionFailure("a source must say how it moves")
  }

  @inline(__always)
  final func stand(on view: RecordView) {
    self.view = view
    word = RecordOrder.word(view.key)
    isValid = true
  }

  final func leave() {
    view = .none
    isValid = false
  }
}

/// The records of a memtable.
final class MemtableSource: RecordSource {
  private let memtable: Memtable
  private let isReverse: Bool
  @exclusivity(unchecked) private var place: Memtable.Place

  init(_ memtable: Memtable, isReverse: Bool) {
    self.memtable = memtable
    self.isReverse = isReverse
    place = Memtable.Place(leaf: memtable.firstLeaf, slot: 0)
    super.init(tier: .current)
  }

  override func seek(_ key: UnsafeRawBufferPointer?, _ version: Version) {
    if let key {
      place = memtable.place(key, version)
    } else {
      let leaf = isReverse ? memtable.lastLeaf : memtable.firstLeaf
      place = Memtable.Place(leaf: leaf, slot: isReverse ? leaf.count : 0)
    }
    if isReverse { place.slot -= 1 }
    settle()
  }

  override func advance() {
    place.slot += isReverse ? -1 : 1
    settle()
  }

  /// Asks for a record before the walk gets there: records lie in the order in which they were written.
  private func prefetch(_ slot: Int) {
    if slot >= 0, slot < place.leaf.count {
      Memory.prefetch(place.leaf.record(slot).base, count: Self.prefetchedBytes)
    }
  }

  /// How far ahead of the walk records are asked for, and how much of each.
  private static let slotsAhead = 2
  private static let prefetchedBytes = 256

  /// Steps over the end of a leaf. Leaves are never empty, but for the only one of an empty memtable.
  private func settle() {
    if isReverse {
      if place.slot < 0, let previous = place.leaf.previous {
        place = Memtable.Place(leaf: previous, slot: previous.count - 1)
      }
    } else if place.slot >= place.leaf.count, let next = place.leaf.next {
      place = Memtable.Place(leaf: next, slot: 0)
    }
    guard place.slot >= 0, place.slot < place.leaf.count else { return leave() }
    prefetch(place.slot + (isReverse ? -Self.slotsAhead : Self.slotsAhead))
    stand(on: place.leaf.record(place.slot).view)
  }
}
