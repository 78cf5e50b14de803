import Bytes
import Table

/// The sorted slots of a B+tree node in an arena: for each the word of a record's key and the record. In a leaf these
/// are the entries; in an inner node the least record that a child held when it was made, which parts it from the child
/// before (slot 0 parts nothing, has the word 0 and isn't looked at).
///
/// A word is the eight bytes of the key (`RecordOrder.word`) behind the prefix that all keys of the node share: what
/// tells the keys apart, however alike they begin.
///
/// Layout: count, next leaf, previous leaf, first slot u32 and prefix length u32, prefix (32 bytes), words, records, and
/// in inner nodes children; each of the last three takes 8 bytes a slot.
///
/// SAFETY: `base` is a node that `make` laid out in an arena and lives as long as that. Slots below `count` are
/// initialized, words beyond are the largest there is, and `count` never exceeds `capacity`.
struct MemtableNode: Equatable {
  static let capacity = 64
  /// The longest prefix that is set apart; longer ones are found by comparing records.
  private static let longestPrefix = 32
  private static let prefixOffset = 32
  private static let wordsOffset = prefixOffset + longestPrefix
  private static let recordsOffset = wordsOffset + 8 * capacity
  private static let childrenOffset = recordsOffset + 8 * capacity

  let base: UnsafeMutableRawPointer

  static func makeLeaf(in arena: inout Arena) -> MemtableNode {
    make(bytes: childrenOffset, first: 0, in: &arena)
  }

  static func makeInner(in arena: inout Arena) -> MemtableNode {
    make(bytes: childrenOffset + 8 * capacity, first: 1, in: &arena)
  }

  private static func make(bytes: Int, first: UInt32, in arena: inout Arena) -> MemtableNode {
    let base = arena.allocate(bytes)
    base.initializeMemory(as: UInt64.self, repeating: 0, count: wordsOffset / 8)
    base.storeBytes(of: first, toByteOffset: 24, as: UInt32.self)
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

  /// The first slot that is looked at: 0 in a leaf, 1 in an inner node.
  @inline(__always) private var first: Int { Int(base.load(fromByteOffset: 24, as: UInt32.self)) }

  @inline(__always) private var prefixLength: Int {
    get { Int(base.load(fromByteOffset: 28, as: UInt32.self)) }
    nonmutating set { base.storeBytes(of: UInt32(newValue), toByteOffset: 28, as: UInt32.self) }
  }

  @inline(__always) private var prefix: UnsafeMutableRawPointer { base + Self.prefixOffset }

  @inline(__always) private var words: UnsafeMutablePointer<UInt64> {
    (base + Self.wordsOffset).assumingMemoryBound(to: UInt64.self)
  }

  @inline(__always) var records: UnsafeMutablePointer<UnsafeRawPointer> {
    (base + Self.recordsOffset).assumingMemoryBound(to: UnsafeRawPointer.self)
  }

  @inline(__always) var children: UnsafeMutablePointer<UnsafeMutableRawPointer> {
    (base + Self.childrenOffset).assumingMemoryBound(to: UnsafeMutableRawPointer.self)
  }

  @inline(__always) func record(_ slot: Int) -> MemtableRecord { MemtableRecord(base: records[slot]) }
}

// Search.
extension MemtableNode {
  /// The first slot that is looked at and whose record is at or after (key, version); `count` if there is none.
  @inline(__always)
  func lowerBound(_ key: UnsafeRawBufferPointer, _ version: Version) -> Int {
    let count = count
    let shared = sharedPrefix(key)
    guard shared == prefixLength else { return precedesPrefix(key, from: shared) ? first : count }
    let word = word(key)
    var low = min(max(firstSlot(notBelow: word), first), count)
    guard low < count, words[low] == word else { return low }
    var high = word == .max ? count : min(firstSlot(notBelow: word + 1), count)
    while low < high {
      let middle = (low &+ high) / 2
      if record(middle).precedes(key, version) { low = middle &+ 1 } else { high = middle }
    }
    return low
  }

  /// Whether the record of a slot, which may be `count`, is (key, version).
  @inline(__always)
  func holds(_ key: UnsafeRawBufferPointer, _ version: Version, at slot: Int) -> Bool {
    guard slot < count, words[slot] == word(key) else { return false }
    let found = record(slot)
    return RecordOrder.compare(found.key, found.version, key, version) == 0
  }

  /// How many bytes of the prefix a key begins with.
  @inline(__always)
  private func sharedPrefix(_ key: UnsafeRawBufferPointer) -> Int {
    guard let bytes = key.baseAddress, prefixLength > 0 else { return 0 }
    return RecordOrder.commonPrefix(bytes, prefix, limit: min(key.count, prefixLength))
  }

  /// Whether a key that leaves the prefix at a byte comes before all that have it.
  private func precedesPrefix(_ key: UnsafeRawBufferPointer, from shared: Int) -> Bool {
    shared == key.count || key[shared] < prefix.load(fromByteOffset: shared, as: UInt8.self)
  }

  @inline(__always)
  private func word(_ key: UnsafeRawBufferPointer) -> UInt64 {
    RecordOrder.word(UnsafeRawBufferPointer(rebasing: key[min(prefixLength, key.count)...]))
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

}

// Change.
extension MemtableNode {
  /// Opens a slot and puts a record there; in an inner node with the child that it begins.
  func insert(_ record: MemtableRecord, child: MemtableNode? = nil, at slot: Int) {
    let key = record.key
    if slot >= first { keepPrefix(of: key) }
    let moved = count - slot
    (words + slot + 1).update(from: words + slot, count: moved)
    (records + slot + 1).update(from: records + slot, count: moved)
    words[slot] = slot < first ? 0 : word(key)
    records[slot] = record.base
    if let child {
      (children + slot + 1).update(from: children + slot, count: moved)
      children[slot] = child.base
    }
    count += 1
    // Inner nodes change rarely and are searched often; a leaf is looked at again whenever it has doubled.
    if child != nil || count >= 8 && count & (count - 1) == 0 { lengthenPrefix() }
  }

  /// Moves the slots from `slot` on to an empty node of the same kind.
  func moveSlots(from slot: Int, to other: MemtableNode) {
    let moved = count - slot
    other.words.update(from: words + slot, count: moved)
    other.records.update(from: records + slot, count: moved)
    if first == 1 {
      other.children.update(from: children + slot, count: moved)
      other.words[0] = 0
    }
    other.count = moved
    other.prefix.copyMemory(from: prefix, byteCount: Self.longestPrefix)
    other.prefixLength = prefixLength
    (words + slot).update(repeating: .max, count: moved)
    count = slot
    lengthenPrefix()
    other.lengthenPrefix()
  }

  /// Shortens the prefix to what a key has of it.
  private func keepPrefix(of key: UnsafeRawBufferPointer) {
    let shared = sharedPrefix(key)
    if shared < prefixLength { setPrefix(shared) }
  }

  /// Lengthens the prefix to what the first and the last key share, and so all between them.
  private func lengthenPrefix() {
    guard count - first >= 2 else { return }
    let (low, high) = (record(first).key, record(count - 1).key)
    guard let lowest = low.baseAddress, let highest = high.baseAddress else { return }
    let limit = min(low.count, high.count, Self.longestPrefix)
    let shared = RecordOrder.commonPrefix(lowest, highest, limit: limit)
    if shared > prefixLength { setPrefix(shared) }
  }

  private func setPrefix(_ length: Int) {
    if length > prefixLength, let bytes = record(first).key.baseAddress {
      prefix.copyMemory(from: bytes, byteCount: length)
    }
    prefixLength = length
    for slot in first..<count { words[slot] = word(record(slot).key) }
  }
}
