public import Bytes
import FoundationEssentials
import HashRing
import Wire

/// What became of the part of a batch that lies in one partition.
public struct BatchPart {
  /// The places of its records in the batch, ascending from 0.
  public let places: [Int]
  /// The version that all of them have, or why none was written.
  public let outcome: Result<Version, ClientError>
}

extension Client {
  /// Writes records of different keys, those of each partition together: all of them with one version, or none. The parts
  /// are carried out one after the other, each for itself and in its own time; where the cluster doesn't answer, the rest
  /// isn't tried.
  /// - Parameters:
  ///   - condition: what has to be true of each key.
  ///   - note: takes the outcome of each part.
  public func put(
    together records: [(key: Key, value: [UInt8])], condition: WriteCondition = .none, note: (BatchPart) -> Void
  ) throws(ClientError) {
    for record in records {
      guard !record.key.bytes.isEmpty else { throw .invalid("put: the key is empty") }
      try Client.check(record.key)
      try Client.check(value: record.value)
    }
    loadMap()
    var map: ClusterMap
    if let young = youngMap { map = young } else { map = try freshMap(until: deadline) }
    var parts = parted(Array(records.indices), of: records, by: map)
    for places in parts { try Client.check(part: places.map { records[$0] }) }
    while let places = parts.popLast() {
      let deadline = deadline
      do throws(ClientError) {
        if let version = try put(places.map { records[$0] }, condition, until: deadline) {
          note(BatchPart(places: places, outcome: .success(version)))
          continue
        }
        // A split has parted it since the map was made by which it was.
        var anew = parted(places, of: records, by: map)
        if anew.count == 1 {
          map = try newerMap(than: map, until: deadline)
          anew = parted(places, of: records, by: map)
        }
        parts += anew
      } catch {
        note(BatchPart(places: places, outcome: .failure(error)))
        guard error.concernsOneBatch else {
          let rest = parts.flatMap { $0 }.sorted()
          if !rest.isEmpty {
            note(BatchPart(places: rest, outcome: .failure(.unavailable("put: not tried after that"))))
          }
          return
        }
      }
    }
  }

  /// The places by partition, in the order in which they are taken from the end.
  private func parted(
    _ places: [Int], of records: [(key: Key, value: [UInt8])], by map: ClusterMap
  ) -> [[Int]] {
    Dictionary(grouping: places) { map.group(of: records[$0].key) }.values.sorted { $0[0] > $1[0] }
  }

  /// Refuses a part that no node would take, before anything is sent.
  private static func check(part records: [(key: Key, value: [UInt8])]) throws(ClientError) {
    let bytes = records.reduce(0) { $0 + $1.key.bytes.count + $1.value.count }
    guard records.count <= Limits.atomicWrites, bytes <= Limits.atomicBytes.rawValue else {
      throw .invalid(
        "\(records.count) records of \(bytes) bytes lie in one partition: at most \(Limits.atomicWrites), and "
          + "\(Limits.atomicBytes), can be written together there")
    }
  }

  /// Writes one part; gives nil where its keys lie in more than one partition.
  private func put(
    _ records: [(key: Key, value: [UInt8])], _ condition: WriteCondition, until deadline: UInt64
  ) throws(ClientError) -> Version? {
    let (id, acknowledged) = session.take()
    var batch = WireBatchRequest()
    batch.session = Data(id.session.bytes)
    batch.sequence = id.sequence
    batch.acknowledged = acknowledged
    batch.writes = records.map { record in
      .with {
        $0.key = Data(record.key.bytes)
        $0.value = Data(record.value)
        $0.set(condition)
      }
    }
    do throws(ClientError) {
      let version = try call(
        .batch(batch), Attempts("put", write: id), until: deadline,
        preferred: { self.leaderAddress(of: records[0].key) }
      ) { body -> Version? in
        switch body {
        case .write(let answer) where answer.version > 0: Version(rawValue: answer.version)
        case .failure: .zero
        default: nil
        }
      }
      session.settle(id, isKnown: true)
      return version == .zero ? nil : version
    } catch {
      session.settle(id, isKnown: !error.isUnknown)
      throw error
    }
  }

  /// A map of a later epoch, asked for until there is one.
  private func newerMap(than old: ClusterMap, until deadline: UInt64) throws(ClientError) -> ClusterMap {
    while true {
      let map = try freshMap(until: deadline)
      if map.message.epoch > old.message.epoch { return map }
      guard surroundings.now + ClientLimits.longestRest < deadline else {
        throw .unavailable("put: the keys of a batch lie in partitions that no node's map shows yet; try again")
      }
      surroundings.sleep(milliseconds: ClientLimits.firstRest)
    }
  }
}

extension ClientError {
  /// Whether the next part of a batch may well succeed.
  fileprivate var concernsOneBatch: Bool {
    switch self {
    case .conditionFalse, .conditionOfBatchFalse, .invalid: true
    default: false
    }
  }
}
