public import Bytes
public import Environment

/// Says of every byte of a table what it means, block by block, damaged or not.
public enum TableDump {
  /// Calls `emit` with the lines in order. Throws only where the disk does; damage is in the notes. Gives the number of
  /// faults.
  public static func run(
    disk: any Disk, path: String, _ emit: @escaping (DumpLine) -> Void
  ) throws(DiskError) -> Int {
    let file = try disk.open(path, .read)
    let end = try file.size()
    let footerStart = end >= UInt64(TableFormat.footerBytes) ? end - UInt64(TableFormat.footerBytes) : 0
    let tier = tier(of: file, fileBytes: end)
    var faults = 0
    var offset: UInt64 = 0
    while offset < footerStart {
      let header = try file.read(at: offset, count: TableFormat.blockHeaderBytes)
      var reader = ByteReader(header)
      guard header.count == TableFormat.blockHeaderBytes, (try? reader.u32()) != nil, let length = try? reader.u32(),
        UInt64(length) + UInt64(header.count) <= footerStart - offset
      else {
        // Where the next block begins isn't known; the footer's place is.
        let rest = try file.read(at: offset, count: Int(min(footerStart - offset, 64)))
        emit(DumpLine(offset: offset, bytes: rest, note: "damaged: no block of this length fits here"))
        faults += 1
        break
      }
      let block = try file.read(at: offset, count: header.count + Int(length))
      if !self.block(block, at: offset, tier, emit) { faults += 1 }
      offset += UInt64(block.count)
    }
    let footer = try file.read(at: footerStart, count: Int(end - footerStart))
    if !self.footer(footer, at: footerStart, emit) { faults += 1 }
    return faults
  }

  /// What the footer leads to, if it does: a span means one thing in the current tier and another in history.
  private static func tier(of file: any DiskFile, fileBytes: UInt64) -> Tier? {
    guard let footer = try? TableReader.readFooter(file, fileBytes: fileBytes) else { return nil }
    return (try? TableReader.readProperties(footer, of: file))?.tier
  }

  /// False where the block is damaged.
  private static func block(
    _ bytes: [UInt8], at offset: UInt64, _ tier: Tier?, _ emit: @escaping (DumpLine) -> Void
  ) -> Bool {
    var fields = Annotator(bytes, at: offset, emit)
    do throws(ByteError) {
      let expected = bytes.withRawBytes { Block.checksum($0, at: offset) }
      let stored = try fields.take({ (reader) throws(ByteError) in try reader.u32() }) {
        $0 == expected ? "CRC-32C" : "CRC-32C: damaged: expected \(hexadecimal(expected))"
      }
      try fields.take({ (reader) throws(ByteError) in try reader.u32() }, { "\($0) bytes of payload" })
      let type = try fields.take({ (reader) throws(ByteError) in try reader.u8() }) {
        "type \($0): \(BlockType(rawValue: $0).map { "\($0)" } ?? "unknown")"
      }
      try fields.take(
        { (reader) throws(ByteError) in try reader.u8() }, { "compression: \($0 == 0 ? "none" : "\($0)")" })
      try fields.take({ (reader) throws(ByteError) in try reader.u16() }, { $0 == 0 ? "flags" : "flags \($0)" })
      switch BlockType(rawValue: type) {
      case .data: try entries(bytes, &fields, tier, isIndex: false)
      case .index, .topIndex: try entries(bytes, &fields, tier, isIndex: true)
      case .filter: filter(&fields)
      case .properties: try properties(&fields)
      case .directory: try directory(&fields)
      case nil: break
      }
      guard fields.isAtEnd else {
        fields.rest("not understood")
        return false
      }
      return stored == expected
    } catch {
      fields.rest("damaged: \(error)")
      return false
    }
  }

  private static func entries(_ bytes: [UInt8], _ fields: inout Annotator, _ tier: Tier?, isIndex: Bool)
    throws(ByteError)
  {
    // SAFETY: the block's header was read before, so that the bytes reach to its end at least.
    let trailer = bytes.withRawBytes {
      BlockTrailer(UnsafeRawBufferPointer(rebasing: $0[TableFormat.blockHeaderBytes...]))
    }
    guard let trailer else {
      throw .malformed(offset: fields.offset, expected: "a trailer within the block", found: "a larger one")
    }
    while fields.offset < TableFormat.blockHeaderBytes + trailer.start { try entry(&fields, tier, isIndex: isIndex) }
    for number in 0..<trailer.restartCount {
      try fields.take({ (reader) throws(ByteError) in try reader.u64() }) { _ in "word of restart point \(number)" }
    }
    for _ in 0..<trailer.restartCount { try fields.u32("its offset") }
    try fields.text(trailer.prefixCount, "prefix")
    try fields.take({ (reader) throws(ByteError) in try reader.u16() }, { "\($0) bytes of prefix" })
    try fields.take({ (reader) throws(ByteError) in try reader.u32() }, { "\($0) restart points" })
  }

  private static func entry(_ fields: inout Annotator, _ tier: Tier?, isIndex: Bool) throws(ByteError) {
    let flags = try fields.take({ (reader) throws(ByteError) in try reader.u8() }) {
      ($0 & 1 == 0 ? "tombstone" : "value") + ($0 & TableFormat.spanFlag == 0 ? "" : ", with a span")
    }
    func length(_ name: String) throws(ByteError) -> Int {
      try fields.take(
        { (reader) throws(ByteError) in
          try reader.count(limit: TableFormat.maximumPayloadBytes)
        }, { "\($0) bytes \(name)" })
    }
    _ = try length("shared")
    let key = try length("of key follow")
    let value = try length("of value")
    let version = try fields.u64("version")
    if flags & TableFormat.spanFlag != 0 {
      try fields.take({ (reader) throws(ByteError) in try reader.varint() }) {
        switch tier {
        case .current: "span \($0): since \(version &- $0)"
        case .history: "span \($0): to \(version &+ $0)"
        case nil: "span \($0)"
        }
      }
    }
    try fields.text(key)
    if isIndex {
      try handle(&fields, "block")
    } else {
      try fields.text(value)
    }
  }

  private static func handle(_ fields: inout Annotator, _ name: String) throws(ByteError) {
    try fields.take(
      { (reader) throws(ByteError) in
        let offset = try reader.u64()
        return (offset, try reader.u32())
      }, { "\(name): at \($0.0), \($0.1) bytes" })
  }

  private static func filter(_ fields: inout Annotator) {
    let lines = fields.remaining / BloomFilter.lineBytes
    fields.rest("\(lines) lines")
  }

  private static func directory(_ fields: inout Annotator) throws(ByteError) {
    let count = try fields.u32("runs:")
    for _ in 0..<count {
      try handle(&fields, "top index")
      try handle(&fields, "filter")
      for name in ["records", "bytes of data", "least version", "greatest version", "least edge", "greatest edge"] {
        try fields.u64(name)
      }
      try fields.take({ (reader) throws(ByteError) in try reader.u8() }, { "class of lifetimes \($0)" })
      for name in ["first key", "last key"] {
        try fields.take({ (reader) throws(ByteError) in try reader.string(limit: Limits.keyBytes.rawValue) }) {
          "\(name) \(Escaping.text($0))"
        }
      }
    }
  }

  private static func properties(_ fields: inout Annotator) throws(ByteError) {
    while !fields.isAtEnd {
      try fields.take({ (reader) throws(ByteError) in
        let number = try reader.u8()
        return (number, try reader.string(limit: Limits.keyBytes.rawValue))
      }) { field in
        TableProperties.text(ofField: field.0, field.1)
      }
    }
  }

  private static func footer(_ bytes: [UInt8], at offset: UInt64, _ emit: @escaping (DumpLine) -> Void) -> Bool {
    var fields = Annotator(bytes, at: offset, emit)
    do throws(ByteError) {
      try handle(&fields, "directory")
      try handle(&fields, "properties")
      try fields.take({ (reader) throws(ByteError) in try reader.u32() }, { $0 == 0 ? "flags" : "flags \($0)" })
      try fields.take({ (reader) throws(ByteError) in try reader.u64() }, { "\($0) bytes of file" })
      try fields.u32("format version")
      try fields.take({ (reader) throws(ByteError) in try reader.u32() }, { _ in "CRC-32C" })
      fields.rest("kv-table")
      _ = try TableFooter(decoding: bytes)
      return true
    } catch {
      emit(DumpLine(offset: offset, bytes: [], note: "damaged footer: \(error)"))
      return false
    }
  }
}
