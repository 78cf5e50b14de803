import Bytes
import Environment
import HashRing
import Store
import Wire

// The next part of what changed in partitions that this node leads, merged into one ordered stream.
extension Node {
  func serve(_ request: WireChangesRequest, deadline: Moment, reply: @escaping Reply) {
    let (since, at) = (Version(rawValue: request.since), Version(rawValue: request.at))
    guard since > .zero, since <= at, !request.groups.isEmpty, request.groups.count <= Limits.partitions else {
      return reply(WireFailure.because(.invalid, "changes have two versions in order, and partitions"))
    }
    let floor = catalog.catalog?.floor ?? .zero
    for version in [since, at] {
      guard isPinned(version) || heldReads.admits(version, now: now) else {
        return reply(notRetained(version, floor: floor))
      }
    }
    // Between a snapshot below the floor and the floor some versions are gone and some are not.
    guard !request.allVersions || since >= floor else { return reply(notRetained(since, floor: floor)) }
    guard let wanted = partitions(request.groups, reply) else { return }
    whenNotFuture(at, reply) { [self] in
      whenAllReadable(wanted, at: at) { [self] failure in
        if let failure { return reply(failure) }
        do throws(StoreError) {
          let response = try read(request, wanted.map(\.store))
          for version in [since, at] where !isPinned(version) {
            heldReads.wasRead(at: version, isLast: !response.more, now: now)
          }
          reply(.changes(response))
        } catch {
          reply(self.failure(error))
        }
      }
    }
  }

  private func read(_ request: WireChangesRequest, _ stores: [PartitionStore]) throws(StoreError) -> WireChangesResponse
  {
    let credit = min(max(Int(request.credit), 1), Limits.rangeCredit.rawValue)
    let query = ChangeQuery(
      lower: request.min.isEmpty ? nil : Key(request.min.array),
      below: request.below == 0 ? nil : Version(rawValue: request.below),
      upper: request.bounded ? Key(request.max.array) : nil, since: Version(rawValue: request.since),
      at: Version(rawValue: request.at),
      scope: request.allVersions ? request.changedOnly ? .allChanged : .all : .lastChanges)
    var merge = ChangeMerge(patience: Limits.changesLookedAt / stores.count + 1)
    for store in stores { try merge.add(try store.changes(query)) }
    var writer = ByteWriter(capacity: credit)
    var response = WireChangesResponse()
    while writer.count < credit, let next = try merge.next() { next.encode(into: &writer) }
    if let (key, below) = merge.resumption {
      response.more = true
      response.resumeKey = .init(key.bytes)
      response.resumeBelow = below.rawValue
    }
    response.records = writer.data
    return response
  }
}

/// Merges the changes of several partitions into key order, up to where the first of them was too far to look. A key is in
/// one partition, so the records of none are mixed.
private struct ChangeMerge {
  /// How many records each cursor may look at.
  private let patience: Int
  private var heads: [(next: Lifespan, cursor: ChangeCursor, patience: Int)] = []
  /// The least place at which a cursor was stopped.
  private var stop: (key: Key, below: Version)?

  init(patience: Int) {
    self.patience = patience
  }

  /// Where to go on; nil where nothing is left.
  var resumption: (key: Key, below: Version)? {
    let head = heads.min { $0.next.record.key < $1.next.record.key }?.next.record
    guard let head, head.key < stop?.key ?? head.key.successor else { return stop }
    return (head.key, head.version.advanced(by: 1))
  }

  mutating func add(_ cursor: ChangeCursor) throws(StoreError) {
    var patience = patience
    if let next = try step(cursor, &patience) { heads.append((next, cursor, patience)) }
  }

  private mutating func step(_ cursor: ChangeCursor, _ patience: inout Int) throws(StoreError) -> Lifespan? {
    switch try cursor.next(patience: &patience) {
    case .found(let next): return next
    case .end: return nil
    case .paused(let key, let below):
      if stop.map({ key < $0.key }) ?? true { stop = (key, below) }
      return nil
    }
  }

  mutating func next() throws(StoreError) -> Lifespan? {
    let places = heads.indices
    guard let least = places.min(by: { heads[$0].next.record.key < heads[$1].next.record.key }) else { return nil }
    let (found, cursor, left) = heads[least]
    var patience = left
    if let stop, found.record.key > stop.key { return nil }
    if let next = try step(cursor, &patience) {
      heads[least] = (next, cursor, patience)
    } else {
      heads.remove(at: least)
    }
    return found
  }
}
