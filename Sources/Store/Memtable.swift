import Bytes
import Table

/// The records applied since the last flush, in record order: a B+tree in an arena, with the eight bytes of the keys
/// that tell them apart in its nodes, so that most comparisons touch no record.
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
  /// The sum over the records. Each is added when it comes, at 25 nanoseconds: to go through all of them later would
  /// bring them into the caches once more, and keep the store's loop from all else meanwhile.
  @exclusivity(unchecked) private(set) var digest = RecordDigest.zero

  init() {
    root = MemtableNode.makeLeaf(in: &arena)
    firstLeaf = root
    lastLeaf = root
  }

  /// The bytes taken by records and nodes.
  var byteCount: Int { arena.byteCount }
  /// Whether there are no records.
  var isEmpty: Bool { count == 0 }

  /// The same records once more, in a memtable of their own.
  func copy() -> Memtable {
    let copy = Memtable()
    let source = MemtableSource(self, isReverse: false)
    source.seek(nil, .max)
    while source.isValid {
      copy.insert(source.view)
      source.advance()
    }
    return copy
  }

  /// A place between records: the slot of a leaf, which may be one past its last.
  struct Place {
    var leaf: MemtableNode
    var slot: Int
  }

  /// Where the first record at or after (key, version) is. The slot is past the leaf's last if it is the first of the
  /// next leaf, or if there is none.
  func place(_ key: UnsafeRawBufferPointer, _ version: Version) -> Place {
    var node = root
    for _ in 0..<height {
      node = MemtableNode(base: node.children[childSlot(node, key, version)])
    }
    return Place(leaf: node, slot: node.lowerBound(key, version))
  }

  /// The child whose records surround (key, version): the last that begins at or before it.
  @inline(__always)
  private func childSlot(_ node: MemtableNode, _ key: UnsafeRawBufferPointer, _ version: Version) -> Int {
    let slot = node.lowerBound(key, version)
    return node.holds(key, version, at: slot) ? slot : slot - 1
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
    digest.add(record)
    let stored = MemtableRecord.write(record, into: &arena)
    withUnsafeTemporaryAllocation(of: PathStep.self, capacity: Self.maximumHeight) { path in
      var node = root
      for level in 0..<height {
        let slot = childSlot(node, record.key, record.version)
        path.initializeElement(at: level, to: PathStep(node: node, slot: slot))
        node = MemtableNode(base: node.children[slot])
      }
      let slot = node.lowerBound(record.key, record.version)
      if node.holds(record.key, record.version, at: slot) {
        digest.remove(node.record(slot).view)
        node.records[slot] = stored.base
        return
      }
      count += 1
      insert(stored, into: node, at: slot, below: UnsafeMutableBufferPointer(rebasing: path[..<height]))
    }
  }

  /// A node on the way down and the slot of the child taken.
  private struct PathStep {
    let node: MemtableNode
    let slot: Int
  }

  private func insert(
    _ record: MemtableRecord, into leaf: MemtableNode, at slot: Int, below path: UnsafeMutableBufferPointer<PathStep>
  ) {
    guard leaf.count == MemtableNode.capacity else { return leaf.insert(record, at: slot) }
    let right = MemtableNode.makeLeaf(in: &arena)
    // Keys that arrive in order fill their leaves: the last leaf is left full, not half full.
    let cut = leaf == lastLeaf && slot == leaf.count ? slot : leaf.count / 2
    leaf.moveSlots(from: cut, to: right)
    right.next = leaf.next
    right.previous = leaf
    leaf.next?.previous = right
    leaf.next = right
    if leaf == lastLeaf { lastLeaf = right }
    if slot < cut || slot == cut && right.count > 0 {
      leaf.insert(record, at: slot)
    } else {
      right.insert(record, at: slot - cut)
    }
    link(right, below: path)
  }

  /// Makes a new right neighbour known to the inner nodes above, which split likewise.
  private func link(_ node: MemtableNode, below path: UnsafeMutableBufferPointer<PathStep>) {
    var node = node
    var record = node.record(0)
    for step in path.reversed() {
      let parent = step.node
      let slot = step.slot + 1
      guard parent.count == MemtableNode.capacity else { return parent.insert(record, child: node, at: slot) }
      let right = MemtableNode.makeInner(in: &arena)
      let cut = slot == parent.count ? slot - 1 : parent.count / 2
      parent.moveSlots(from: cut, to: right)
      if slot <= cut {
        parent.insert(record, child: node, at: slot)
      } else {
        right.insert(record, child: node, at: slot - cut)
      }
      node = right
      record = right.record(0)
    }
    grow(node, record)
  }

  /// Puts a root above the old one and its new right neighbour.
  private func grow(_ right: MemtableNode, _ record: MemtableRecord) {
    precondition(height < Self.maximumHeight)
    let top = MemtableNode.makeInner(in: &arena)
    // Slot 0 parts nothing: any record will do.
    top.insert(record, child: root, at: 0)
    top.insert(record, child: right, at: 1)
    root = top
    height += 1
  }
}
