import Bytes
import Table

/// The records applied since the last flush, in record order: a B+tree in an arena, with the first eight bytes of the
/// keys in its nodes, so that most comparisons touch no record.
///
/// SAFETY: Sendable because it has two lives. Until it is frozen its store alone touches it, on the store's loop; once
/// frozen (`PartitionStore.freeze`) nobody inserts any more, and any thread may read.
final class Memtable: @unchecked Sendable {
  /// Enough for 32^11 records, were every node half full.
  private static let maximumHeight = 12

  // Exclusivity isn't checked at run time: no access to a member spans a call that could come back to it.
  @exclusivity(unchecked) private var arena = Arena()
  @exclusivity(unchecked) private var root: MemtableNode
  /// The inner levels above the leaves.
  @exclusivity(unchecked) private var height = 0
  private(set) var firstLeaf: MemtableNode
  private(set) var lastLeaf: MemtableNode
  /// The records.
  @exclusivity(unchecked) private(set) var count = 0

  init() {
    root = MemtableNode.makeLeaf(in: &arena)
    firstLeaf = root
    lastLeaf = root
  }

  /// The bytes taken by records and nodes.
  var byteCount: Int { arena.byteCount }
  /// Whether there are no records.
  var isEmpty: Bool { count == 0 }

  /// A place between records: the slot of a leaf, which may be one past its last.
  struct Place {
    var leaf: MemtableNode
    var slot: Int
  }

  /// Where the first record at or after (key, version) is. The slot is past the leaf's last if it is the first of the
  /// next leaf, or if there is none.
  func place(_ key: UnsafeRawBufferPointer, _ version: Version) -> Place {
    let word = RecordOrder.word(key)
    var node = root
    for _ in 0..<height {
      node = MemtableNode(base: node.children[childSlot(node, word, key, version)])
    }
    return Place(leaf: node, slot: node.lowerBound(from: 0, word, key, version))
  }

  /// The child whose records surround (key, version): the last that begins at or before it.
  @inline(__always)
  private func childSlot(
    _ node: MemtableNode, _ word: UInt64, _ key: UnsafeRawBufferPointer, _ version: Version
  ) -> Int {
    let slot = node.lowerBound(from: 1, word, key, version)
    guard slot < node.count, node.words[slot] == word else { return slot - 1 }
    let record = node.record(slot)
    return RecordOrder.compare(record.key, record.version, key, version) == 0 ? slot : slot - 1
  }

  /// The newest record of a key that is not newer than a version.
  func get(_ key: UnsafeRawBufferPointer, at version: Version) -> RecordView? {
    var place = place(key, version)
    if place.slot == place.leaf.count {
      guard let next = place.leaf.next else { return nil }
      place = Place(leaf: next, slot: 0)
    }
    let view = place.leaf.record(place.slot).view
    return compareBytes(view.key, key) == 0 ? view : nil
  }

  /// Copies a record in. One with the same key and version takes the place of the earlier.
  func insert(_ record: RecordView) {
    precondition(record.key.count <= Limits.keyBytes.rawValue && record.value.count <= Limits.valueBytes.rawValue)
    let word = RecordOrder.word(record.key)
    let stored = MemtableRecord.write(record, into: &arena)
    withUnsafeTemporaryAllocation(of: PathStep.self, capacity: Self.maximumHeight) { path in
      var node = root
      for level in 0..<height {
        let slot = childSlot(node, word, record.key, record.version)
        path.initializeElement(at: level, to: PathStep(node: node, slot: slot))
        node = MemtableNode(base: node.children[slot])
      }
      let slot = node.lowerBound(from: 0, word, record.key, record.version)
      if slot < node.count, node.words[slot] == word {
        let found = node.record(slot)
        if RecordOrder.compare(found.key, found.version, record.key, record.version) == 0 {
          node.records[slot] = stored.base
          return
        }
      }
      count += 1
      insert(stored, word, into: node, at: slot, below: UnsafeMutableBufferPointer(rebasing: path[..<height]))
    }
  }

  /// A node on the way down and the slot of the child taken.
  private struct PathStep {
    let node: MemtableNode
    let slot: Int
  }

  private func insert(
    _ record: MemtableRecord, _ word: UInt64, into leaf: MemtableNode, at slot: Int,
    below path: UnsafeMutableBufferPointer<PathStep>
  ) {
    guard leaf.count == MemtableNode.capacity else { return leaf.insert(record, word, at: slot) }
    let right = MemtableNode.makeLeaf(in: &arena)
    // Keys that arrive in order fill their leaves: the last leaf is left full, not half full.
    let cut = leaf == lastLeaf && slot == leaf.count ? slot : leaf.count / 2
    leaf.moveSlots(from: cut, to: right, isInner: false)
    right.next = leaf.next
    right.previous = leaf
    leaf.next?.previous = right
    leaf.next = right
    if leaf == lastLeaf { lastLeaf = right }
    if slot < cut || slot == cut && right.count > 0 {
      leaf.insert(record, word, at: slot)
    } else {
      right.insert(record, word, at: slot - cut)
    }
    link(right, below: path)
  }

  /// Makes a new right neighbour known to the inner nodes above, which split likewise.
  private func link(_ node: MemtableNode, below path: UnsafeMutableBufferPointer<PathStep>) {
    var node = node
    var record = node.record(0)
    var word = node.words[0]
    for step in path.reversed() {
      let parent = step.node
      let slot = step.slot + 1
      guard parent.count == MemtableNode.capacity else { return parent.insert(record, word, child: node, at: slot) }
      let right = MemtableNode.makeInner(in: &arena)
      let cut = slot == parent.count ? slot - 1 : parent.count / 2
      parent.moveSlots(from: cut, to: right, isInner: true)
      if slot <= cut {
        parent.insert(record, word, child: node, at: slot)
      } else {
        right.insert(record, word, child: node, at: slot - cut)
      }
      node = right
      record = right.record(0)
      word = right.words[0]
    }
    grow(node, record, word)
  }

  /// Puts a root above the old one and its new right neighbour.
  private func grow(_ right: MemtableNode, _ record: MemtableRecord, _ word: UInt64) {
    precondition(height < Self.maximumHeight)
    let top = MemtableNode.makeInner(in: &arena)
    // Slot 0 parts nothing; the least word keeps the slots sorted.
    top.insert(record, 0, child: root, at: 0)
    top.insert(record, word, child: right, at: 1)
    root = top
    height += 1
  }
}
