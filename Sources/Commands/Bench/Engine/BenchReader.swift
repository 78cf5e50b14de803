import Bytes
import Store
import Table

/// Reads as a caller does who keeps a copy of each value.
final class BenchReader {
  private let store: PartitionStore
  private var key = [UInt8](repeating: 0, count: BenchData.keyBytes)
  private var copy: [UInt8]
  /// Something of all that was read, so that reading it can't be left out.
  private(set) var sum: UInt64 = 0

  init(store: PartitionStore, valueBytes: Int) {
    self.store = store
    copy = [UInt8](repeating: 0, count: valueBytes)
  }

  /// Whether a key has a value at a version.
  func get(_ number: UInt64, at version: Version) throws(CommandError) -> Bool {
    BenchData.key(number, into: &key)
    do throws(StoreError) {
      return try key.withRawBytes { (bytes) throws(StoreError) in
        try store.get(bytes, at: version) { view in
          // SAFETY: the view is lent for this closure; no more is copied than the target holds.
          copy.withUnsafeMutableBytes { target in
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: view.value.prefix(target.count)))
          }
        }
      }
    } catch {
      throw .engine("\(error)")
    }
  }

  /// The number of records from a key on, at most `limit`.
  func scan(from number: UInt64?, limit: UInt64, at version: Version) throws(CommandError) -> UInt64 {
    do throws(StoreError) {
      if let number { BenchData.key(number, into: &key) }
      let cursor = try store.cursor(from: number == nil ? nil : Key(key), at: version)
      var count: UInt64 = 0
      var sum: UInt64 = 0
      while count < limit, let record = try cursor.nextView() {
        sum &+= UInt64(record.key[0]) &+ UInt64(record.value[0])
        count += 1
      }
      self.sum &+= sum
      return count
    } catch {
      throw .engine("\(error)")
    }
  }
}
