import Bytes
import Merkle
import Table

/// A table as the manifest knows it.
struct TableEntry: Equatable, Sendable {
  /// The number in the file's name.
  let number: UInt64
  /// Whether its records are current or history.
  let tier: Tier
  /// The level of its tier in which the table lies.
  var level: Int
  /// The size of the file.
  let fileBytes: UInt64
  /// The records in it.
  let records: UInt64
  /// The SHA-256 of the file.
  let hash: [UInt8]

  /// Appends the entry: a length, then number u64, tier u8, level u8, size u64, records u64, SHA-256.
  func encode(into writer: inout ByteWriter) {
    var fields = ByteWriter(capacity: 64)
    fields.u64(number)
    fields.u8(tier.rawValue)
    fields.u8(UInt8(level))
    fields.u64(fileBytes)
    fields.u64(records)
    fields.raw(hash)
    writer.string(fields.bytes)
  }

  init(number: UInt64, tier: Tier, level: Int, fileBytes: UInt64, records: UInt64, hash: [UInt8]) {
    self.number = number
    self.tier = tier
    self.level = level
    self.fileBytes = fileBytes
    self.records = records
    self.hash = hash
  }

  init(from reader: inout ByteReader) throws(ByteError) {
    let length = try reader.count(limit: 1 << 16)
    let end = reader.offset + length
    number = try reader.u64()
    let levelOffset = reader.offset
    let code = try reader.u8()
    guard let tier = Tier(rawValue: code) else {
      throw .malformed(offset: levelOffset, expected: "tier 0 or 1", found: "\(code)")
    }
    self.tier = tier
    level = Int(try reader.u8())
    let levels = tier == .current ? StoreOptions.levels : StoreOptions.historyLevels
    guard level < levels else {
      throw .malformed(offset: levelOffset + 1, expected: "a level below \(levels)", found: "\(level)")
    }
    fileBytes = try reader.u64()
    records = try reader.u64()
    hash = try reader.bytes(SHA256.digestBytes)
    guard reader.offset == end else {
      throw .malformed(offset: levelOffset, expected: "an entry that ends at \(end)", found: "\(reader.offset)")
    }
  }
}

/// One atomic change of a store.
struct ManifestEdit: Equatable, Sendable {
  /// The numbers of tables that are no longer part of the store.
  var removed: [UInt64] = []
  /// The tables that are from now on.
  var added: [TableEntry] = []
  /// The state from now on, if it changes.
  var state: StoreState?
  /// What of the past may be read from now on, if that changes: what was dropped, was so by this.
  var retention: Retention?
  /// A number above those of all files that were ever begun.
  var nextNumber: UInt64

  private enum Field: UInt8 {
    case nextNumber = 1
    case state, removed, added, retention
  }

  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 256)
    writer.u8(Field.nextNumber.rawValue)
    writer.u64(nextNumber)
    if let state {
      writer.u8(Field.state.rawValue)
      state.encode(into: &writer)
    }
    if let retention {
      writer.u8(Field.retention.rawValue)
      retention.encode(into: &writer)
    }
    for number in removed {
      writer.u8(Field.removed.rawValue)
      writer.u64(number)
    }
    for entry in added {
      writer.u8(Field.added.rawValue)
      entry.encode(into: &writer)
    }
    return writer.bytes
  }

  init(
    removed: [UInt64] = [], added: [TableEntry] = [], state: StoreState? = nil, retention: Retention? = nil,
    nextNumber: UInt64
  ) {
    self.removed = removed
    self.added = added
    self.state = state
    self.retention = retention
    self.nextNumber = nextNumber
  }

  init(from reader: inout ByteReader) throws(ByteError) {
    nextNumber = 0
    while !reader.isAtEnd {
      let start = reader.offset
      let code = try reader.u8()
      switch Field(rawValue: code) {
      case .nextNumber: nextNumber = try reader.u64()
      case .state: state = try StoreState(from: &reader)
      case .removed: removed.append(try reader.u64())
      case .added: added.append(try TableEntry(from: &reader))
      case .retention: retention = try Retention(from: &reader)
      case nil: throw .malformed(offset: start, expected: "a field of 1 to 5", found: "\(code)")
      }
    }
  }
}

/// What all edits of a manifest together say.
struct ManifestContent: Equatable, Sendable {
  /// The tables by number, ascending.
  var tables: [TableEntry] = []
  var state = StoreState()
  var retention = Retention.everything
  var nextNumber: UInt64 = 1

  /// This content as one edit of an empty store.
  var asEdit: ManifestEdit {
    ManifestEdit(added: tables, state: state, retention: retention, nextNumber: nextNumber)
  }

  /// Applies an edit; nil, or what in it doesn't fit.
  mutating func apply(_ edit: ManifestEdit) -> (expected: String, found: String)? {
    for number in edit.removed {
      guard let at = tables.firstIndex(where: { $0.number == number }) else {
        return ("a table to remove", "number \(number), which isn't there")
      }
      tables.remove(at: at)
    }
    for entry in edit.added {
      let at = tables.firstIndex { $0.number >= entry.number } ?? tables.count
      if at < tables.count, tables[at].number == entry.number {
        return ("a new table", "number \(entry.number) again")
      }
      tables.insert(entry, at: at)
    }
    if let state = edit.state { self.state = state }
    if let retention = edit.retention { self.retention = retention }
    nextNumber = max(nextNumber, edit.nextNumber)
    return nil
  }
}
