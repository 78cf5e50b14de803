import Bytes
import Environment
import Raft
import Wire

/// One replica's state on its way to another node.
final class OutgoingTransfer {
  let number: UInt64
  let group: GroupID
  let target: ReplicaID
  let state: CapturedState
  private let source: ReplicaID
  private let term: Term
  private var checksum: UInt32 = 0
  var sequence: UInt32 = 0
  var isLast = false
  var lastProgress: Moment

  init(number: UInt64, group: GroupID, message: Message, state: CapturedState, startedAt: Moment) {
    self.number = number
    self.group = group
    target = message.to
    source = message.from
    term = message.term
    self.state = state
    lastProgress = startedAt
  }

  /// The next chunk; the last one says what the state stands for.
  func chunk(_ data: [UInt8], isLast: Bool) -> WireSnapshotChunk {
    checksum = CRC32C.checksum(data, seed: checksum)
    var chunk = WireSnapshotChunk()
    chunk.group = group.rawValue
    chunk.to = target.rawValue
    chunk.from = source.rawValue
    chunk.term = term.rawValue
    chunk.transfer = number
    chunk.sequence = sequence
    chunk.data = .init(data)
    if sequence == 0 { chunk.totalBytes = state.bytes }
    if isLast { chunk.trailer = WireSnapshotTrailer(state.point, state: state.state, checksum: checksum) }
    return chunk
  }
}

extension WireSnapshotTrailer {
  /// What a state stands for.
  init(_ point: SnapshotHeader, state: [UInt8], checksum: UInt32) {
    self.init()
    index = point.index.rawValue
    term = point.term.rawValue
    var membership = ByteWriter()
    point.membership.encode(into: &membership)
    self.membership = membership.data
    self.state = .init(state)
    self.checksum = checksum
  }

  /// The header in the trailer, or nil where its membership is malformed.
  var point: SnapshotHeader? {
    var reader = ByteReader(membership.array)
    guard let membership = try? Membership(from: &reader), reader.isAtEnd else { return nil }
    return SnapshotHeader(index: LogIndex(rawValue: index), term: Term(rawValue: term), membership: membership)
  }
}
