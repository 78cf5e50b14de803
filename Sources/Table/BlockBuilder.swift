import Bytes

/// Builds the payload of a data or index block: prefix-compressed entries in record order, then the offsets of the
/// restart points, where a key is stored whole. See kv-sstable(5).
final class BlockBuilder {
  private let restartInterval: Int
  private let buffer: GrowingBytes
  private var restarts: [UInt32] = []
  private var sinceRestart = 0

  init(blockBytes: Int, restartInterval: Int) {
    self.restartInterval = restartInterval
    buffer = GrowingBytes(capacity: blockBytes + 256)
  }

  /// Whether nothing was added since the last `finish`.
  var isEmpty: Bool { restarts.isEmpty }
  /// The payload bytes if the block were finished now.
  var payloadBytes: Int { buffer.count + 4 * restarts.count + 4 }

  /// An upper bound of what a record adds to the payload.
  static func bound(key: Int, value: Int) -> Int { key + value + 25 }

  /// Appends an entry. `shared` is the number of leading bytes that the key has in common with the one before.
  func add(_ record: RecordView, shared: Int) {
    var shared = shared
    if restarts.isEmpty || sinceRestart == restartInterval {
      restarts.append(UInt32(buffer.count))
      sinceRestart = 0
      shared = 0
    }
    sinceRestart += 1
    buffer.append(u8: record.kind.rawValue)
    buffer.append(varint: shared)
    buffer.append(varint: record.key.count - shared)
    buffer.append(varint: record.value.count)
    buffer.append(u64: record.version.rawValue)
    buffer.append(UnsafeRawBufferPointer(rebasing: record.key[shared...]))
    buffer.append(record.value)
  }

  /// Closes the block and lends its payload; the builder is empty afterwards.
  func finish<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    for restart in restarts { buffer.append(u32: restart) }
    buffer.append(u32: UInt32(restarts.count))
    defer {
      buffer.removeAll()
      restarts.removeAll(keepingCapacity: true)
    }
    return try body(buffer.bytes)
  }
}
