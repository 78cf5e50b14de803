import Bytes
import Merkle
import Table

/// The tree over the records of a snapshot's file, in their order. A leaf is: version u64, the version that replaced
/// the record u64 (the greatest number: none), kind u8, length of the key u32, length of the value u32, key, value.
struct RecordTree {
  let hasher: TreeHasher
  private var builder: TreeBuilder
  /// The number of records.
  var records: UInt64 { builder.count }
  /// The bytes of their keys and values.
  private(set) var dataBytes: UInt64 = 0

  /// A tree without records.
  init() {
    hasher = TreeHasher()
    builder = TreeBuilder(hasher)
  }

  /// Adds the next record; gives the hash of its leaf.
  @discardableResult
  mutating func add(_ view: RecordView, to: Version) -> TreeHash {
    let leaf = RecordTree.leaf(view, to: to, hasher)
    builder.add(leaf)
    dataBytes += UInt64(view.key.count + view.value.count)
    return leaf
  }

  /// The root.
  var root: [UInt8] { builder.root.bytes }

  /// The hash of a record's leaf.
  static func leaf(_ view: RecordView, to: Version, _ hasher: TreeHasher) -> TreeHash {
    // SAFETY: 8 + 8 + 1 + 4 + 4 bytes fill the allocation, which is hashed before it ends.
    withUnsafeTemporaryAllocation(byteCount: 25, alignment: 8) { head in
      head.storeBytes(of: view.version.rawValue.littleEndian, as: UInt64.self)
      head.storeBytes(of: to.rawValue.littleEndian, toByteOffset: 8, as: UInt64.self)
      head.storeBytes(of: view.kind.rawValue, toByteOffset: 16, as: UInt8.self)
      head.storeBytes(of: UInt32(view.key.count).littleEndian, toByteOffset: 17, as: UInt32.self)
      head.storeBytes(of: UInt32(view.value.count).littleEndian, toByteOffset: 21, as: UInt32.self)
      return hasher.leaf(UnsafeRawBufferPointer(head), view.key, view.value)
    }
  }
}
