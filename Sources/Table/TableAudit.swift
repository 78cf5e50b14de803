import Bytes
public import Environment

/// Reads every byte of a table once, in the order of the file, and holds each part against every other that says
/// something about it: checksums, the order of blocks and records, index, counts and bounds.
///
/// SAFETY: views are lent to the visitor for the duration of a call; the block that they come from is held until after it.
public struct TableAudit {
  /// The table, as its own properties describe it.
  public let properties: TableProperties
  /// The size of the file.
  public let fileBytes: UInt64
  private let file: any DiskFile
  private let runs: [RunEntry]
  private let end: UInt64

  /// Reads what the file says about itself.
  public init(disk: any Disk, path: String) throws(TableError) {
    do throws(DiskError) {
      file = try disk.open(path, .read)
      fileBytes = try file.size()
    } catch {
      throw .io(error)
    }
    let footer = try TableReader.readFooter(file, fileBytes: fileBytes)
    properties = try TableReader.readProperties(footer, of: file)
    runs = try TableReader.readDirectory(footer, of: file)
    end = fileBytes - UInt64(TableFormat.footerBytes)
  }

  /// Reads all. `visit` gets every record, in the order of the file, with the offset of its block.
  public func run(_ visit: (RecordView, _ offset: UInt64) throws(TableError) -> Void) throws(TableError) {
    var counted = TableProperties(tier: properties.tier)
    var offset: UInt64 = 0
    let readAhead = ReadAhead()
    for entry in runs {
      let index = try TableReader.readIndex(entry.topIndex, of: file)
      var order = AuditedOrder(tier: properties.tier, file: file)
      for place in 0..<index.count {
        let handle = index.handle(place)
        guard handle.offset == offset else {
          throw TableReader.corrupt(file, offset, "the block that the index names at \(handle.offset)", "another place")
        }
        let block = try Block(handle, type: .data, tier: properties.tier, of: file, through: readAhead)
        try visitRecords(of: block, handle, place, index, &order, &counted, visit)
        counted.dataBlocks += 1
        offset = handle.end
      }
      offset = try skip(to: entry, from: offset)
    }
    try checkRest(from: offset)
    try compare(counted)
  }

  private func visitRecords(
    of block: Block, _ handle: BlockHandle, _ place: Int, _ index: TableIndex, _ order: inout AuditedOrder,
    _ counted: inout TableProperties, _ visit: (RecordView, UInt64) throws(TableError) -> Void
  ) throws(TableError) {
    try block.forEachRecord { (view, isAtEdge) throws(TableError) in
      let isNewKey = try order.follow(view, in: handle)
      if isAtEdge, index.first(atOrAfter: view.key, view.version) != place {
        throw TableReader.corrupt(file, handle.offset, "records that the index finds here", "others")
      }
      counted.records += 1
      if isNewKey { counted.keys += 1 }
      if view.kind == .tombstone { counted.tombstones += 1 }
      counted.dataBytes += UInt64(view.key.count + view.value.count)
      counted.digest.add(view)
      try visit(view, handle.offset)
    }
  }

  /// Checks the blocks behind a run's data: its index and filter.
  private func skip(to entry: RunEntry, from start: UInt64) throws(TableError) -> UInt64 {
    var offset = start
    let last = entry.filter ?? entry.topIndex
    while offset <= last.offset {
      let (handle, type) = try block(at: offset)
      let isExpected = type == .index || handle == entry.topIndex || handle == entry.filter
      guard isExpected else {
        throw TableReader.corrupt(file, offset, "a block of the run's index", "a block of type \(type.rawValue)")
      }
      offset = handle.end
    }
    return offset
  }

  /// Checks what lies behind the runs: directory and properties, then the footer.
  private func checkRest(from start: UInt64) throws(TableError) {
    var offset = start
    for expected in [BlockType.directory, .properties] {
      let (handle, type) = try block(at: offset)
      guard type == expected else {
        throw TableReader.corrupt(file, offset, "block type \(expected.rawValue)", "\(type.rawValue)")
      }
      offset = handle.end
    }
    guard offset == end else { throw TableReader.corrupt(file, offset, "the footer", "\(end - offset) other bytes") }
  }

  /// The block that begins at an offset, checked.
  private func block(at offset: UInt64) throws(TableError) -> (BlockHandle, BlockType) {
    let header: [UInt8]
    do throws(DiskError) {
      header = try file.read(at: offset, count: TableFormat.blockHeaderBytes)
    } catch {
      throw .io(error)
    }
    let handle: BlockHandle
    let type: BlockType
    do throws(ByteError) {
      var reader = ByteReader(header)
      _ = try reader.u32()
      let length = UInt64(try reader.u32()) + UInt64(TableFormat.blockHeaderBytes)
      let code = try reader.u8()
      guard length <= end - offset, let fitting = UInt32(exactly: length), let known = BlockType(rawValue: code) else {
        throw .malformed(offset: 4, expected: "a block of the file's", found: "\(length) bytes, type \(code)")
      }
      (handle, type) = (BlockHandle(offset: offset, length: fitting), known)
    } catch {
      throw TableReader.corrupt(file, offset, error)
    }
    _ = try Block(handle, type: type, of: file)
    return (handle, type)
  }

  private func compare(_ counted: TableProperties) throws(TableError) {
    let pairs = [
      ("records", properties.records, counted.records), ("keys", properties.keys, counted.keys),
      ("tombstones", properties.tombstones, counted.tombstones),
      ("bytes of keys and values", properties.dataBytes, counted.dataBytes),
      ("data blocks", properties.dataBlocks, counted.dataBlocks),
    ]
    for (name, expected, found) in pairs where expected != found {
      throw TableReader.corrupt(file, end, "\(expected) \(name)", "\(found)")
    }
    guard properties.digest == counted.digest else {
      throw TableReader.corrupt(file, end, "records with the digest of the properties", "others")
    }
  }
}

/// The order in which a run's records must come.
struct AuditedOrder {
  let tier: Tier
  let file: any DiskFile
  private let lastKey = GrowingBytes(capacity: 64)
  private var last: Version?

  init(tier: Tier, file: any DiskFile) {
    self.tier = tier
    self.file = file
  }

  /// Takes the next record; says whether its key is another than that of the one before.
  mutating func follow(_ view: RecordView, in handle: BlockHandle) throws(TableError) -> Bool {
    defer { last = view.version }
    guard let last else {
      lastKey.replace(view.key, from: 0)
      return true
    }
    let order = compareBytes(lastKey.bytes, view.key)
    if order < 0 {
      lastKey.replace(view.key, from: 0)
      return true
    }
    guard order == 0, tier == .history, view.version < last else {
      throw TableReader.corrupt(file, handle.offset, "records in order", "\(Escaping.text(Array(view.key))) out of it")
    }
    return false
  }
}
