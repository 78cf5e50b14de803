import Bytes

/// The command of a partition's log: writes that the leader has already decided on, each for itself or as a batch.
///
/// A follower applies it without reading anything: conditions and repeated ids were dealt with before.
///
///     kind u8 = 1 | first version u64 | writes varint | write …
///     write: id | kind u8 | record
///
/// The n-th write has the version `first + n`. A batch, from cluster format 2 on, has one id and one version:
///
///     kind u8 = 4 | version u64 | id | records varint | record …
///
///     id: session 2 × u64 | sequence varint | acknowledged varint | payload digest u64
///     record: key length varint | value length varint | key | value
struct PartitionCommand {
  /// By what a write is known when it is repeated.
  struct Identity {
    let id: RequestID
    /// All sequences of the session up to this one were answered and may be forgotten.
    let acknowledged: UInt64
    /// Tells a repetition of the write from another write under the same id.
    let digest: UInt64
  }

  /// One write, or the first record of a batch.
  struct Write {
    let identity: Identity
    let kind: Record.Kind
    let key: Key
    let value: [UInt8]
    /// Why nothing is written, and this is the outcome of the id.
    var refusal: Refusal?

    /// The kind of a write of which the log holds the key and the refusal.
    fileprivate static let refusedKind: UInt8 = 2
  }

  /// What the first byte of an entry of a partition's log says.
  enum Kind: UInt8 {
    case writes = 1
    /// `CheckMark`.
    case check = 2
    /// `SplitCommand`.
    case split = 3
    case batch = 4
    /// `AcknowledgementCommand`.
    case acknowledgement = 5
  }

  /// The cluster format from which on logs may hold batches.
  static let batchFormat: UInt32 = 2

  /// The size of an encoded id, or of a record without its key and value, at most.
  private static let mostIdentityBytes = 16 + 10 + 10 + 8
  private static let mostLengthBytes = 20

  /// The encoded command for writes whose first version is known.
  static func encode(_ writes: some Collection<Write>, first: Version) -> [UInt8] {
    var size = 16
    for write in writes {
      size += mostIdentityBytes + 1 + mostLengthBytes + write.key.bytes.count + write.value.count
    }
    var writer = ByteWriter(capacity: size)
    writer.u8(Kind.writes.rawValue)
    writer.u64(first.rawValue)
    writer.varint(UInt64(writes.count))
    for write in writes {
      write.identity.encode(into: &writer)
      if let refusal = write.refusal {
        writer.u8(Write.refusedKind)
        writer.varint(UInt64(write.key.bytes.count))
        writer.raw(write.key.bytes)
        refusal.encode(into: &writer)
      } else {
        writer.u8(write.kind.rawValue)
        encode(write.key, write.value, into: &writer)
      }
    }
    return writer.bytes
  }

  /// The encoded command for a batch of puts.
  static func encode(
    batch records: some Collection<(key: Key, value: [UInt8])>, _ identity: Identity, version: Version
  ) -> [UInt8] {
    var size = 16 + mostIdentityBytes
    for (key, value) in records { size += mostLengthBytes + key.bytes.count + value.count }
    var writer = ByteWriter(capacity: size)
    writer.u8(Kind.batch.rawValue)
    writer.u64(version.rawValue)
    identity.encode(into: &writer)
    writer.varint(UInt64(records.count))
    for (key, value) in records { encode(key, value, into: &writer) }
    return writer.bytes
  }

  private static func encode(_ key: Key, _ value: [UInt8], into writer: inout ByteWriter) {
    writer.varint(UInt64(key.bytes.count))
    writer.varint(UInt64(value.count))
    writer.raw(key.bytes)
    writer.raw(value)
  }

  /// What a reader of a command is told of each write; key and value are ranges within the payload.
  struct AppliedWrite {
    /// Nil for the records of a batch behind its first.
    let identity: Identity?
    let version: Version
    let kind: Record.Kind
    let key: Range<Int>
    let value: Range<Int>
  }

  /// The first version of an encoded command; nil where the bytes are none.
  static func firstVersion(of payload: [UInt8]) -> Version? {
    var reader = ByteReader(payload)
    switch (try? reader.u8()).flatMap(Kind.init(rawValue:)) {
    case .writes, .batch: return (try? reader.u64()).map(Version.init(rawValue:))
    case .check, .split, .acknowledgement, nil: return nil
    }
  }

  /// Reads an encoded command, write by write, without copying keys and values. Gives the last version in it.
  /// - Parameters:
  ///   - isDone: whether a write of the key in that range of the payload is done. Single writes of other keys are left
  ///     out, and so is a batch with one such key as a whole.
  ///   - refused: takes what is not written, in its place between the writes.
  static func decode(
    _ payload: [UInt8], where isDone: (Range<Int>) -> Bool = { _ in true },
    refused: (Identity, Refusal, Version) -> Void = { _, _, _ in }, each: (AppliedWrite) -> Void
  ) throws(ByteError) -> Version {
    var reader = ByteReader(payload)
    let code = try reader.u8()
    switch Kind(rawValue: code) {
    case .writes:
      return try decodeWrites(
        from: &reader, first: Version(rawValue: try reader.u64()), where: isDone, refused: refused, each: each)
    case .batch:
      return try decodeBatch(from: &reader, version: Version(rawValue: try reader.u64()), where: isDone, each: each)
    case .check, .split, .acknowledgement, nil:
      throw .malformed(offset: 0, expected: "a partition command of kind 1 or 4", found: "kind \(code)")
    }
  }

  private static func decodeWrites(
    from reader: inout ByteReader, first: Version, where isDone: (Range<Int>) -> Bool,
    refused: (Identity, Refusal, Version) -> Void, each: (AppliedWrite) -> Void
  ) throws(ByteError) -> Version {
    let count = try reader.count(limit: Limits.writesPerEntry)
    for place in 0..<count {
      let identity = try Identity(from: &reader)
      let version = first.advanced(by: UInt64(place))
      let kindOffset = reader.offset
      let code = try reader.u8()
      guard code != Write.refusedKind else {
        let key = try reader.range(try reader.count(limit: Limits.keyBytes.rawValue))
        let refusal = try Refusal(from: &reader)
        if isDone(key) { refused(identity, refusal, version) }
        continue
      }
      guard let kind = Record.Kind(rawValue: code) else {
        throw .malformed(offset: kindOffset, expected: "a kind of 0 to 2", found: "\(code)")
      }
      let (key, value) = try decodeRecord(from: &reader)
      guard isDone(key) else { continue }
      each(
        AppliedWrite(
          identity: identity, version: first.advanced(by: UInt64(place)), kind: kind, key: key, value: value))
    }
    try reader.finish()
    return count == 0 ? first : first.advanced(by: UInt64(count - 1))
  }

  private static func decodeBatch(
    from reader: inout ByteReader, version: Version, where isDone: (Range<Int>) -> Bool, each: (AppliedWrite) -> Void
  ) throws(ByteError) -> Version {
    let identity = try Identity(from: &reader)
    let count = try reader.count(limit: Limits.atomicWrites)
    var writes: [AppliedWrite] = []
    writes.reserveCapacity(min(count, reader.remaining))
    for place in 0..<count {
      let (key, value) = try decodeRecord(from: &reader)
      writes.append(
        AppliedWrite(
          identity: place == 0 ? identity : nil, version: version, kind: .value, key: key, value: value))
    }
    try reader.finish()
    if writes.allSatisfy({ isDone($0.key) }) { writes.forEach(each) }
    return version
  }

  private static func decodeRecord(from reader: inout ByteReader) throws(ByteError) -> (Range<Int>, Range<Int>) {
    let keyLength = try reader.count(limit: Limits.keyBytes.rawValue)
    let valueLength = try reader.count(limit: Limits.valueBytes.rawValue)
    return (try reader.range(keyLength), try reader.range(valueLength))
  }
}

extension PartitionCommand.Identity {
  fileprivate func encode(into writer: inout ByteWriter) {
    writer.u64(id.session.high)
    writer.u64(id.session.low)
    writer.varint(id.sequence)
    writer.varint(acknowledged)
    writer.u64(digest)
  }

  fileprivate init(from reader: inout ByteReader) throws(ByteError) {
    let session = SessionID(high: try reader.u64(), low: try reader.u64())
    id = RequestID(session: session, sequence: try reader.varint())
    acknowledged = try reader.varint()
    digest = try reader.u64()
  }
}
