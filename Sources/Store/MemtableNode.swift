import Bytes
import Table

/// The sorted slots of a B+tree node in an arena: for each the word (`RecordOrder.word`) of a record's key and the
/// record. In a leaf these are the entries; in an inner node the least record that a child held when it was made, which
/// parts it from the child before (slot 0 parts nothing and isn't looked at).
///
/// Layout: count, next leaf, previous leaf, words, records, and in inner nodes children; each field takes 8 bytes.
///
/// SAFETY: `base` is a node that `make` laid out in an arena and lives as long as that. Slots below `count` are
/// initialized, words beyond are the largest there is, and `count` never exceeds `capacity`.
struct MemtableNode: Equatable {
  static let capacity = 64
  private static let wordsOffset = 24
  private static let recordsOffset = wordsOffset + 8 * capacity
  private static let childrenOffset = recordsOffset + 8 * capacity

  let base: UnsafeMutableRawPointer

  static func makeLeaf(in arena: inout Arena) -> MemtableNode {
    make(bytes: childrenOffset, in: &arena)
  }

  static func makeInner(in arena: inout Arena) -> MemtableNode {
    make(bytes: childrenOffset + 8 * capacity, in: &arena)
  }

  private static func make(bytes: Int, in arena: inout Arena) -> MemtableNode {
    let base = arena.allocate(bytes)
    base.initializeMemory(as: UInt64.self, repeating: 0, count: 3)
    let node = MemtableNode(base: base)
    node.words.initialize(repeating: .max, count: capacity)
    return node
  }

  @inline(__always) var count: Int {
    get { base.load(as: Int.self) }
    nonmutating set { base.storeBytes(of: newValue, as: Int.self) }
  }

  var next: MemtableNode? {
    get { base.load(fromByteOffset: 8, as: UnsafeMutableRawPointer?.self).map(MemtableNode.init) }
    nonmutating set { base.storeBytes(of: newValue?.base, toByteOffset: 8, as: UnsafeMutableRawPointer?.self) }
  }

  var previous: MemtableNode? {
    get { base.load(fromByteOffset: 16, as: UnsafeMutableRawPointer?.self).map(MemtableNode.init) }
    nonmutating set { base.storeBytes(of: newValue?.base, toByteOffset: 16, as: UnsafeMutableRawPointer?.self) }
  }

  @inline(__always) var words: UnsafeMutablePointer<UInt64> {
    (base + Self.wordsOffset).assumingMemoryBound(to: UInt64.self)
  }

  @inline(__always) var records: UnsafeMutablePointer<UnsafeRawPointer> {
    (base + Self.recordsOffset).assumingMemoryBound(to: UnsafeRawPointer.self)
  }

  @inline(__always) var children: UnsafeMutablePointer<UnsafeMutableRawPointer> {
    (base + Self.childrenOffset).assumingMemoryBound(to: UnsafeMutableRawPointer.self)
  }

  @inline(__always) func record(_ slot: Int) -> MemtableRecord { MemtableRecord(base: records[slot]) }

  /// The first slot from `start` on whose record is at or after (key, version); `count` if there is none.
  @inline(__always)
  func lowerBound(
    from start: Int, _ word: UInt64, _ key: UnsafeRawBufferPointer, _ version: Version
  ) -> Int {
    let count = count
    var low = min(max(firstSlot(notBelow: word), start), count)
    guard low < count, words[low] == word else { return low }
    var high = word == .max ? count : min(firstSlot(notBelow: word + 1), count)
    while low < high {
      let middle = (low &+ high) / 2
      if record(middle).precedes(key, version) { low = middle &+ 1 } else { high = middle }
    }
    return low
  }

  /// The first slot whose word is at least `word`; slots beyond `count` have the largest. Counts in two steps, first
  /// groups of eight, then the words of one group: all the loads of a step can be under way at once, and nothing
  /// branches on what they bring.
  @inline(__always)
  private func firstSlot(notBelow word: UInt64) -> Int {
    let words = words
    var group = 0
    for index in 0..<Self.capacity / 8 { group &+= words[index &* 8 &+ 7] < word ? 1 : 0 }
    guard group < Self.capacity / 8 else { return Self.capacity }
    var slot = group &* 8
    for index in 0..<8 { slot &+= words[group &* 8 &+ index] < word ? 1 : 0 }
    return slot
  }

  /// Opens a slot and puts a record there; in an inner node with the child that it begins.
  func insert(_ record: MemtableRecord, _ word: UInt64, child: MemtableNode? = nil, at slot: Int) {
    let moved = count - slot
    (words + slot + 1).update(from: words + slot, count: moved)
    (records + slot + 1).update(from: records + slot, count: moved)
    words[slot] = word
    records[slot] = record.base
    if let child {
      (children + slot + 1).update(from: children + slot, count: moved)
      children[slot] = child.base
    }
    count += 1
  }

  /// Moves the slots from `slot` on to an empty node of the same kind.
  func moveSlots(from slot: Int, to other: MemtableNode, isInner: Bool) {
    let moved = count - slot
    other.words.update(from: words + slot, count: moved)
    other.records.update(from: records + slot, count: moved)
    if isInner { other.children.update(from: children + slot, count: moved) }
    other.count = moved
    (words + slot).update(repeating: .max, count: moved)
    count = slot
  }
}
