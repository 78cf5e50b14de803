import Bytes
import Environment
import HashRing
import Wire

/// A write from its arrival at the leader to its answer.
final class PendingWrite {
  /// The write as the log holds it.
  let command: PartitionCommand.Write
  let condition: Condition
  let deadline: Moment
  private var reply: Reply?
  /// Whoever sent the same id again meanwhile.
  private var joined: [PendingWrite] = []

  var id: RequestID { command.id }
  var key: Key { command.key }
  var isDeletion: Bool { command.kind == .tombstone }

  /// What must hold for the write to be made.
  enum Condition: Equatable {
    case none
    case absent
    case version(Version)
  }

  /// A write as a request describes it, or why it can't be one.
  init(_ request: WireWriteRequest, deadline: Moment, reply: @escaping Reply) throws(InvalidWrite) {
    guard let session = SessionID(request.session), request.sequence > 0 else {
      throw InvalidWrite(words: "the request id is not a session of 16 bytes and a sequence above 0")
    }
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
    switch request.condition {
    case .none: condition = .none
    case .ifAbsent: condition = .absent
    case .ifVersion: condition = .version(Version(rawValue: request.expected))
    case .UNRECOGNIZED(let code): throw InvalidWrite(words: "condition \(code) is of a newer release")
    }
    let key = Key(request.key.array)
    let value = request.value.array
    command = PartitionCommand.Write(
      id: RequestID(session: session, sequence: request.sequence), acknowledged: request.acknowledged,
      digest: PendingWrite.digest(key: key, value: value, isDeletion: request.tombstone, condition: condition),
      kind: request.tombstone ? .tombstone : .value, key: key, value: value)
    self.deadline = deadline
    self.reply = reply
  }

  /// Whether the key's present state decides what becomes of the write.
  var mustLook: Bool { isDeletion || condition != .none }

  /// The bytes that the write holds in memory.
  var bytes: Int { command.key.bytes.count + command.value.count + 128 }

  /// Lets a repetition of the write share its answer; false where it is another write under the same id.
  func join(_ repetition: PendingWrite) -> Bool {
    guard repetition.command.digest == command.digest else { return false }
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

  func done(_ version: Version) {
    reply(.write(.with { $0.version = version.rawValue }))
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

/// Why a request is not a write.
struct InvalidWrite: Error {
  let words: String
}
