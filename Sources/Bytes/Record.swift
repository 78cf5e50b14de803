/// One version of one key: what a write leaves behind.
public struct Record: Hashable, Sendable {
  /// Whether the key has a value from this version on.
  public enum Kind: UInt8, Sendable {
    /// The key was deleted at this version.
    case tombstone = 0
    /// The key got a value at this version.
    case value = 1
  }

  /// The key that was written.
  public let key: Key
  /// The version of the write.
  public let version: Version
  /// Whether it put or deleted.
  public let kind: Kind
  /// The value; empty for a tombstone.
  public let value: [UInt8]

  /// A record that puts a value.
  public init(key: Key, version: Version, value: [UInt8]) {
    self.init(key: key, version: version, kind: .value, value: value)
  }

  /// A record of these parts.
  public init(key: Key, version: Version, kind: Kind, value: [UInt8]) {
    self.key = key
    self.version = version
    self.kind = kind
    self.value = value
  }

  /// A record that deletes a key.
  public static func tombstone(_ key: Key, _ version: Version) -> Record {
    Record(key: key, version: version, kind: .tombstone, value: [])
  }

  /// Appends the record as log, wire and snapshots hold it:
  /// version u64, kind u8, key length varint, value length varint, key, value.
  public func encode(into writer: inout ByteWriter) {
    key.bytes.withUnsafeBytes { key in
      value.withUnsafeBytes { value in
        Record.encode(key: key, version: version, kind: kind, value: value, into: &writer)
      }
    }
  }

  /// Appends a record of these parts as `encode(into:)` does.
  ///
  /// SAFETY: the buffers are lent for the call, which copies their bytes.
  public static func encode(
    key: UnsafeRawBufferPointer, version: Version, kind: Kind, value: UnsafeRawBufferPointer,
    into writer: inout ByteWriter
  ) {
    let most = 9 + 2 * ByteWriter.longestVarint + key.count + value.count
    writer.append(upTo: most) { room in
      // SAFETY: nine bytes, two varints, the key and the value lie within the `most` bytes for which there is room.
      room.storeBytes(of: version.rawValue.littleEndian, as: UInt64.self)
      room[8] = kind.rawValue
      var at = ByteWriter.store(varint: UInt64(key.count), in: room, at: 9)
      at = ByteWriter.store(varint: UInt64(value.count), in: room, at: at)
      UnsafeMutableRawBufferPointer(rebasing: room[at...]).copyMemory(from: key)
      at += key.count
      UnsafeMutableRawBufferPointer(rebasing: room[at...]).copyMemory(from: value)
      at += value.count
      return at
    }
  }

  /// Reads one record that `encode` wrote.
  public init(from reader: inout ByteReader) throws(ByteError) {
    let header = try Header(from: &reader)
    version = header.version
    kind = header.kind
    key = Key(try reader.bytes(header.keyBytes))
    value = try reader.bytes(header.valueBytes)
  }

  /// What stands before the key and the value of an encoded record.
  public struct Header {
    /// The version of the write.
    public let version: Version
    /// Whether it put or deleted.
    public let kind: Kind
    /// The length of the key.
    public let keyBytes: Int
    /// The length of the value.
    public let valueBytes: Int

    /// Reads what stands before a key and a value, which follow.
    public init(from reader: inout ByteReader) throws(ByteError) {
      version = Version(rawValue: try reader.u64())
      let offset = reader.offset
      let code = try reader.u8()
      guard let kind = Kind(rawValue: code) else {
        throw .malformed(offset: offset, expected: "a record kind of 0 or 1", found: "\(code)")
      }
      self.kind = kind
      keyBytes = try reader.count(limit: Limits.keyBytes.rawValue)
      valueBytes = try reader.count(limit: kind == .value ? Limits.valueBytes.rawValue : 0)
    }
  }
}
