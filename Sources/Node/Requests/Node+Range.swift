import Bytes
import Environment
import HashRing
import Store
import Wire

// The next part of a range over partitions that this node leads, merged into one ordered stream.
extension Node {
  func serve(_ request: WireRangeRequest, deadline: Moment, reply: @escaping Reply) {
    let at = Version(rawValue: request.at)
    guard isPinned(at) || heldReads.admits(at, now: now) else {
      return reply(notRetained(at, floor: catalog.catalog?.floor ?? .zero))
    }
    guard request.at > 0, !request.groups.isEmpty, request.groups.count <= Limits.partitions else {
      return reply(WireFailure.because(.invalid, "a range names its version and its partitions"))
    }
    guard let wanted = partitions(request.groups, reply) else { return }
    whenNotFuture(at, reply) { [self] in
      whenAllReadable(wanted, at: at) { [self] failure in
        if let failure { return reply(failure) }
        reply(read(request, wanted, at: at))
      }
    }
  }

  /// The partitions of these groups; nil after a reply that says which has no replica here.
  func partitions(_ groups: [UInt32], _ reply: @escaping Reply) -> [Partition]? {
    var wanted: [Partition] = []
    for group in Set(groups).sorted() {
      guard let partition = replicas[GroupID(rawValue: group)]?.machine as? Partition else {
        reply(
          WireFailure.because(
            .notLeader, "node \(id) has no replica of partition \(group)",
            leader: router.leader(of: GroupID(rawValue: group))))
        return nil
      }
      wanted.append(partition)
    }
    return wanted
  }

  /// Calls back once a read at a version may be served by all of some partitions.
  func whenAllReadable(
    _ partitions: [Partition], at version: Version, _ done: @escaping (WireResponse.OneOf_Body?) -> Void
  ) {
    var left = partitions.count
    var failure: WireResponse.OneOf_Body?
    for partition in partitions {
      partition.whenReadable(at: version) { answer in
        failure = failure ?? answer
        left -= 1
        if left == 0 { done(failure) }
      }
    }
  }

  private func read(_ request: WireRangeRequest, _ partitions: [Partition], at version: Version)
    -> WireResponse.OneOf_Body
  {
    do throws(StoreError) {
      let response = try read(request, partitions.map(\.store), at: version)
      // What a snapshot holds need not be held by its readers.
      if !isPinned(version) { heldReads.wasRead(at: version, isLast: !response.more, now: now) }
      return .range(response)
    } catch {
      let place = error.path
      let concerned = partitions.first { partition in place?.hasPrefix(partition.directory + "/") ?? false }
      return concerned?.refuse(error) ?? failure(error)
    }
  }

  private func read(_ request: WireRangeRequest, _ stores: [PartitionStore], at version: Version) throws(StoreError)
    -> WireRangeResponse
  {
    let credit = min(max(Int(request.credit), 1), Limits.rangeCredit.rawValue)
    let limit = request.limit == 0 ? Int.max : Int(request.limit)
    let min = request.min.isEmpty ? nil : Key(request.min.array)
    let max = request.bounded ? Key(request.max.array) : nil
    var merge = RangeMerge(isReverse: request.reverse)
    for store in stores {
      try merge.add(try store.cursor(from: min, to: max, at: version, reverse: request.reverse))
    }
    var writer = ByteWriter(capacity: credit)
    var response = WireRangeResponse()
    var count = 0
    while let record = try merge.next() {
      let shown =
        request.keysOnly ? Record(key: record.key, version: record.version, value: []) : record
      shown.encode(into: &writer)
      count += 1
      if count == limit || writer.count >= credit {
        response.more = !merge.isAtEnd
        break
      }
    }
    response.records = writer.data
    return response
  }
}

/// Merges the cursors of several partitions into key order. A key is in one partition, so none comes twice.
private struct RangeMerge {
  let isReverse: Bool
  /// A binary heap, the next key at its root.
  private var heap: [(record: Record, cursor: StoreCursor)] = []

  init(isReverse: Bool) {
    self.isReverse = isReverse
  }

  var isAtEnd: Bool { heap.isEmpty }

  mutating func add(_ cursor: StoreCursor) throws(StoreError) {
    guard let record = try cursor.next() else { return }
    heap.append((record, cursor))
    var child = heap.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func next() throws(StoreError) -> Record? {
    guard let first = heap.first else { return nil }
    if let record = try first.cursor.next() {
      heap[0].record = record
    } else {
      heap.swapAt(0, heap.count - 1)
      heap.removeLast()
    }
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) { least = child }
      guard least != parent else { return first.record }
      heap.swapAt(parent, least)
      parent = least
    }
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    isReverse ? heap[right].record.key < heap[left].record.key : heap[left].record.key < heap[right].record.key
  }
}
