import Bytes
import Environment

// SAFETY: keys are lent for the duration of a call; the block that they come from is held until after it.
extension TableReader {
  static func corrupt(
    _ file: any DiskFile, _ offset: UInt64, _ expected: String, _ found: String
  ) -> TableError {
    .corrupt(path: file.path, offset: offset, expected: expected, found: found)
  }

  /// The error in some bytes of the file, as one of the file.
  static func corrupt(_ file: any DiskFile, _ base: UInt64, _ error: ByteError) -> TableError {
    switch error {
    case .truncated(let offset, let needed, let available):
      corrupt(file, base + UInt64(offset), "\(needed) more bytes", "\(available)")
    case .malformed(let offset, let expected, let found):
      corrupt(file, base + UInt64(offset), expected, found)
    }
  }

  static func readFooter(_ file: any DiskFile, fileBytes: UInt64) throws(TableError) -> TableFooter {
    let footerBytes = UInt64(TableFormat.footerBytes)
    guard fileBytes >= footerBytes else {
      throw corrupt(file, fileBytes, "at least \(footerBytes) bytes", "\(fileBytes)")
    }
    let start = fileBytes - footerBytes
    let bytes: [UInt8]
    do throws(DiskError) {
      bytes = try file.read(at: start, count: TableFormat.footerBytes)
    } catch {
      throw .io(error)
    }
    let footer: TableFooter
    do throws(ByteError) { footer = try TableFooter(decoding: bytes) } catch { throw corrupt(file, start, error) }
    guard footer.fileBytes == fileBytes else {
      throw corrupt(file, start, "a file of \(footer.fileBytes) bytes", "\(fileBytes)")
    }
    return footer
  }

  static func readProperties(_ footer: TableFooter, of file: any DiskFile) throws(TableError) -> TableProperties {
    let block = try Block(footer.properties, type: .properties, of: file)
    do throws(ByteError) {
      return try TableProperties(decoding: Array(block.payload))
    } catch {
      throw corrupt(file, footer.properties.offset + UInt64(TableFormat.blockHeaderBytes), error)
    }
  }

  static func readDirectory(_ footer: TableFooter, of file: any DiskFile) throws(TableError) -> [RunEntry] {
    let block = try Block(footer.directory, type: .directory, of: file)
    do throws(ByteError) {
      return try TableDirectory.decode(Array(block.payload), limit: footer.directory.offset)
    } catch {
      throw corrupt(file, footer.directory.offset + UInt64(TableFormat.blockHeaderBytes), error)
    }
  }

  /// Reads the top index and all index blocks of a run into memory.
  static func readIndex(_ topIndex: BlockHandle, of file: any DiskFile) throws(TableError) -> TableIndex {
    var index = TableIndex()
    let top = try Block(topIndex, type: .topIndex, of: file)
    try forEachSeparator(top, at: topIndex, of: file) { (_, _, handle) throws(TableError) in
      let block = try Block(handle, type: .index, of: file)
      try forEachSeparator(block, at: handle, of: file) { (key, version, target) throws(TableError) in
        guard index.append(key: key, version: version, handle: target) else {
          throw corrupt(file, handle.offset, "separators in order", "others")
        }
      }
    }
    index.seal()
    return index
  }

  private static func forEachSeparator(
    _ block: Block, at place: BlockHandle, of file: any DiskFile,
    _ body: (UnsafeRawBufferPointer, Version, BlockHandle) throws(TableError) -> Void
  ) throws(TableError) {
    let entries = block.entries
    let key = GrowingBytes(capacity: 64)
    key.append(entries.prefix)
    var at = 0
    while at < entries.end {
      let entry = entries.entry(at: at)
      key.replaceTail(from: entries.prefix.count + entry.shared, with: entry.suffix)
      let handle: BlockHandle
      do throws(ByteError) {
        var reader = ByteReader(Array(entry.value))
        // A block lies before those that point to it.
        handle = try BlockHandle(from: &reader, limit: place.offset)
        try reader.finish()
      } catch {
        throw corrupt(file, place.offset + UInt64(TableFormat.blockHeaderBytes + at), error)
      }
      try body(key.bytes, entry.version, handle)
      at = entry.end
    }
    withExtendedLifetime(block) {}
  }
}
