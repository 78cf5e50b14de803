import Bytes
import Environment
import HashRing
import Wire

/// A write, or a batch of writes, from its arrival at the leader to its answer.
final class PendingWrite {
  /// The write as the log holds it; of a batch, its first.
  private(set) var command: PartitionCommand.Write
  let condition: Condition
  /// The writes of a batch behind its first, each of another key; empty for a write by itself.
  let others: [Other]
  let deadline: Moment
  /// Whether a copy of the request was perhaps applied, or will be: a refusal has to be recorded then.
  private(set) var mustSettle: Bool
  private var reply: Reply?
  /// Whoever sent the same id again meanwhile.
  private var joined: [PendingWrite] = []

  var id: RequestID { command.identity.id }
  var digest: UInt64 { command.identity.digest }
  var key: Key { command.key }
  var isDeletion: Bool { command.kind == .tombstone }

  /// A write of a batch behind its first.
  struct Other {
    let key: Key
    let value: [UInt8]
    let condition: Condition
  }

  /// What must hold for the write to be made.
  enum Condition: Equatable {
    case none
    case absent
    case version(Version)
  }

  /// A write as a request describes it, or why it can't be one.
  init(_ request: WireWriteRequest, deadline: Moment, reply: @escaping Reply) throws(InvalidWrite) {
    let id = try PendingWrite.id(request.session, request.sequence)
    try PendingWrite.check(request)
    condition = try Condition(request)
    let key = Key(request.key.array)
    let value = request.value.array
    command = PartitionCommand.Write(
      identity: .init(
        id: id, acknowledged: request.acknowledged,
        digest: PendingWrite.digest(key: key, value: value, isDeletion: request.tombstone, condition: condition)),
      kind: request.tombstone ? .tombstone : .value, key: key, value: value)
    others = []
    mustSettle = request.settle
    self.deadline = deadline
    self.reply = reply
  }

  /// A batch as a request describes it, or why it can't be one. A batch of one write is that write.
  init(_ request: WireBatchRequest, deadline: Moment, reply: @escaping Reply) throws(InvalidWrite) {
    let id = try PendingWrite.id(request.session, request.sequence)
    guard (1...Limits.atomicWrites).contains(request.writes.count) else {
      throw InvalidWrite(words: "a batch has 1 to \(Limits.atomicWrites) writes, this one \(request.writes.count)")
    }
    guard request.writes.reduce(0, { $0 + $1.key.count + $1.value.count }) <= Limits.atomicBytes.rawValue else {
      throw InvalidWrite(words: "the keys and values of a batch have at most \(Limits.atomicBytes) together")
    }
    var parts: [Other] = []
    var digest: UInt64 = 0
    for write in request.writes {
      try PendingWrite.check(write)
      guard !write.tombstone else { throw InvalidWrite(words: "a batch holds values, and no deletion") }
      let part = Other(key: Key(write.key.array), value: write.value.array, condition: try Condition(write))
      let own = PendingWrite.digest(key: part.key, value: part.value, isDeletion: false, condition: part.condition)
      digest = parts.isEmpty ? own : SplitMix64.mix(digest) ^ own
      parts.append(part)
    }
    guard Set(parts.map(\.key)).count == parts.count else {
      throw InvalidWrite(words: "a batch writes a key once")
    }
    let first = parts.removeFirst()
    condition = first.condition
    command = PartitionCommand.Write(
      identity: .init(id: id, acknowledged: request.acknowledged, digest: digest), kind: .value, key: first.key,
      value: first.value)
    others = parts
    mustSettle = request.settle
    self.deadline = deadline
    self.reply = reply
  }

  private static func id(_ session: WireBytes, _ sequence: UInt64) throws(InvalidWrite) -> RequestID {
    guard let session = SessionID(session), sequence > 0 else {
      throw InvalidWrite(words: "the request id is not a session of 16 bytes and a sequence above 0")
    }
    return RequestID(session: session, sequence: sequence)
  }

  private static func check(_ request: WireWriteRequest) throws(InvalidWrite) {
    guard request.key.count <= Limits.keyBytes.rawValue else {
      throw InvalidWrite(words: "the key has \(request.key.count) bytes; the limit is \(Limits.keyBytes)")
    }
    guard request.value.count <= Limits.valueBytes.rawValue else {
      throw InvalidWrite(words: "the value has \(request.value.count) bytes; the limit is \(Limits.valueBytes)")
    }
    guard !request.key.isEmpty else { throw InvalidWrite(words: "the key is empty") }
    guard !request.tombstone || request.value.isEmpty else {
      throw InvalidWrite(words: "a deletion carries no value")
    }
  }

  /// Whether all its writes are made or none, with one version.
  var isBatch: Bool { !others.isEmpty }

  /// Whether it takes a log entry by itself.
  var isAlone: Bool { isBatch && command.refusal == nil }

  /// Whether something holds for each of its keys.
  func all(_ holds: (Key) -> Bool) -> Bool { holds(key) && others.allSatisfy { holds($0.key) } }

  /// The command of the log that carries it out at a version, where it is a batch.
  func batchCommand(at version: Version) -> [UInt8] {
    let records = [(key: key, value: command.value)] + others.map { (key: $0.key, value: $0.value) }
    return PartitionCommand.encode(batch: records, command.identity, version: version)
  }

  /// Whether the key's present state decides what becomes of the write.
  var mustLook: Bool { isDeletion || condition != .none || others.contains { $0.condition != .none } }

  /// The bytes that the write holds in memory.
  var bytes: Int {
    others.reduce(command.key.bytes.count + command.value.count + 128) {
      $0 + $1.key.bytes.count + $1.value.count + 64
    }
  }

  /// Lets a repetition of the write share its answer; false where it is another write under the same id.
  func join(_ repetition: PendingWrite) -> Bool {
    guard repetition.digest == digest else { return false }
    mustSettle = mustSettle || repetition.mustSettle
    joined.append(repetition)
    return true
  }

  /// Answers, once.
  func reply(_ body: WireResponse.OneOf_Body) {
    reply?(body)
    reply = nil
    guard !joined.isEmpty else { return }
    for repetition in joined { repetition.reply(body) }
    joined.removeAll()
  }

  /// Has the log record why it is not made.
  func refuse(_ refusal: Refusal) { command.refusal = refusal }

  /// Answers that the write is in the log, with that version or as refused.
  func done(_ version: Version) {
    if let refusal = command.refusal { return refused(refusal, isRecorded: true) }
    reply(.write(.with { $0.version = version.rawValue }))
  }

  /// Answers with the outcome that its id has.
  func done(_ result: SessionTable.Result) {
    switch result {
    case .written(let version): done(version)
    case .refused(let refusal): refused(refusal, isRecorded: true)
    }
  }

  /// Answers that nothing is written, which a copy of the request may contradict yet unless it is recorded.
  func refused(_ refusal: Refusal, isRecorded: Bool) {
    guard !isDeletion || condition != .none else { return reply(.write(.with { $0.recorded = isRecorded })) }
    reply(
      .failure(
        .with {
          $0.code = .conditionFalse
          $0.version = refusal.present.rawValue
          $0.message = refusal.present > .zero ? "the key has version \(refusal.present)" : "the key is absent"
          $0.write = refusal.write
          $0.recorded = isRecorded
        }))
  }

  func failed(_ code: WireFailure.Code, _ message: String) {
    reply(WireFailure.because(code, message))
  }

  /// 64 bits over all that the write would do.
  private static func digest(key: Key, value: [UInt8], isDeletion: Bool, condition: Condition) -> UInt64 {
    var parts = ByteWriter(capacity: 32)
    parts.u64(Position(of: key).rawValue)
    parts.u64(Position(ofBytes: value).rawValue)
    parts.u8(isDeletion ? 1 : 0)
    switch condition {
    case .none: parts.u8(0)
    case .absent: parts.u8(1)
    case .version(let version):
      parts.u8(2)
      parts.u64(version.rawValue)
    }
    return Position(ofBytes: parts.bytes).rawValue
  }
}

extension PendingWrite.Condition {
  fileprivate init(_ request: WireWriteRequest) throws(InvalidWrite) {
    switch request.condition {
    case .none: self = .none
    case .ifAbsent: self = .absent
    case .ifVersion: self = .version(Version(rawValue: request.expected))
    case .UNRECOGNIZED(let code): throw InvalidWrite(words: "condition \(code) is of a newer release")
    }
  }

  /// Whether it holds for a key that has this value, or none.
  func holds(for present: Record?) -> Bool {
    switch self {
    case .none: true
    case .absent: present == nil
    case .version(let expected): (present?.version ?? .zero) == expected
    }
  }
}

/// Why a request is not a write.
struct InvalidWrite: Error {
  let words: String
}
