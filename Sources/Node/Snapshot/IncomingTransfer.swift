import Bytes
import Environment
import Raft
import Store
import Wire

/// A replica's whole state as it was received, ready to be installed.
struct ReceivedState: Sendable {
  let sender: NodeID
  let point: SnapshotHeader
  /// The state beside the records, encoded.
  let state: [UInt8]
  /// The records, written but not yet in force; the catalog has none.
  let sink: StateSink
}

/// One replica's state on its way to this node.
final class IncomingTransfer {
  let number: UInt64
  let sender: NodeID
  let sink: StateSink
  var sequence: UInt32 = 0
  /// Whether a chunk is with the worker; there is never more than one.
  var isBusy = false
  var lastProgress: Moment
  let startedAt: Moment
  var arrivedBytes: UInt64 = 0
  /// About how many there are, as the sender says.
  var totalBytes: UInt64 = 0
  /// Where moves are limited: the chunk that is not answered yet.
  var pause: Pause?

  /// Until when the answer to a chunk waits, and when the sender is next told that it does.
  struct Pause {
    let chunk: WireSnapshotChunk
    let endsAt: Moment
    var signAt: Moment
  }

  init(number: UInt64, sender: NodeID, directory: String?, startedAt: Moment) {
    self.number = number
    self.sender = sender
    sink = StateSink(directory: directory)
    lastProgress = startedAt
    self.startedAt = startedAt
  }
}

/// Writes the records of an arriving state to tables beside those of the present store, which stays in force until
/// `finish`.
///
/// SAFETY: used by one background job at a time: `IncomingTransfer.isBusy` holds back the next chunk until the job of
/// the one before has come back, and `finish` or `abandon` runs only after the last.
final class StateSink: @unchecked Sendable {
  /// What became of a chunk.
  enum Outcome: Sendable {
    case more
    case complete(SnapshotHeader, state: [UInt8])
    case failed(String)
  }

  private let directory: String?
  private var writer: SnapshotWriter?
  private var checksum: UInt32 = 0

  init(directory: String?) {
    self.directory = directory
  }

  /// Takes a chunk in: whole records, one after the other. With a trailer it completes the state.
  func take(_ data: [UInt8], trailer: WireSnapshotTrailer?, storage: NodeStorage) -> Outcome {
    checksum = CRC32C.checksum(data, seed: checksum)
    do {
      if let directory, writer == nil {
        writer = try SnapshotWriter(disk: storage.disk, directory: directory, options: storage.storeOptions)
      }
      var reader = ByteReader(data)
      while !reader.isAtEnd { try writer?.add(try Record(from: &reader)) }
    } catch {
      return .failed("\(error)")
    }
    guard let trailer else { return .more }
    guard trailer.checksum == checksum, let point = trailer.point else {
      return .failed("its checksum is \(trailer.checksum), that of what arrived \(checksum)")
    }
    return .complete(point, state: trailer.state.array)
  }

  /// Puts the records in force, durably.
  func finish(state: StoreState, retention: Retention) throws(StoreError) {
    try writer?.finish(state: state, retention: retention)
    writer = nil
  }

  /// Drops what was written.
  func abandon() {
    writer?.abandon()
    writer = nil
  }
}
