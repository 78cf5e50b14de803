import Bytes

/// Collects a table's index while its data blocks are written: index blocks of separators, and a top index of them.
///
/// SAFETY: keys are lent for the duration of a call and copied; `commonPrefix` reads no further than the shorter of the two.
final class TableIndexBuilder {
  private let options: TableOptions
  private let block: BlockBuilder
  private var finished: [(payload: [UInt8], lastKey: [UInt8], lastVersion: Version)] = []
  private let lastKey = GrowingBytes(capacity: 64)
  private var lastVersion = Version.zero

  init(options: TableOptions) {
    self.options = options
    block = BlockBuilder(blockBytes: min(options.blockBytes, 1 << 10), restartInterval: options.restartInterval)
  }

  /// Appends a data block with its separator.
  func add(key: UnsafeRawBufferPointer, version: Version, handle: BlockHandle) {
    if !block.isEmpty, block.payloadBytes + BlockBuilder.bound(key: key.count, value: 12) > options.blockBytes {
      finishBlock()
    }
    Self.add(key: key, after: lastKey, version: version, handle: handle, to: block)
    lastKey.replace(key, from: 0)
    lastVersion = version
  }

  private func finishBlock() {
    block.finish { finished.append((Array($0), Array(lastKey.bytes), lastVersion)) }
  }

  private static func add(
    key: UnsafeRawBufferPointer, after last: GrowingBytes, version: Version, handle: BlockHandle,
    to block: BlockBuilder
  ) {
    var shared = 0
    if let left = last.bytes.baseAddress, let right = key.baseAddress {
      shared = RecordOrder.commonPrefix(left, right, limit: min(last.count, key.count))
    }
    var writer = ByteWriter(capacity: BlockHandle.encodedBytes)
    handle.encode(into: &writer)
    writer.bytes.withRawBytes { value in
      block.add(RecordView(key: key, value: value, version: version, kind: .value), shared: shared)
    }
  }

  /// Writes the index blocks and the top index; the builder is empty afterwards.
  func write(to sink: TableSink) throws(TableError) -> BlockHandle {
    if !block.isEmpty { finishBlock() }
    let top = BlockBuilder(blockBytes: 256, restartInterval: options.restartInterval)
    let last = GrowingBytes(capacity: 64)
    for (payload, key, version) in finished {
      let handle = try payload.withRawBytes { (bytes) throws(TableError) in try sink.write(bytes, type: .index) }
      key.withRawBytes { key in
        Self.add(key: key, after: last, version: version, handle: handle, to: top)
        last.replace(key, from: 0)
      }
    }
    finished.removeAll()
    lastKey.removeAll()
    return try sink.write(top, type: .topIndex)
  }
}
