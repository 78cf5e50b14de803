import Bytes
import Environment
import HashRing
import Store
import Wire

// The next part of a range over partitions of which this node has replicas, merged into one ordered stream.
extension Node {
  func serve(_ request: WireRangeRequest, deadline: Moment, reply: @escaping Reply) {
    guard !request.groups.isEmpty, request.groups.count <= Limits.partitions else {
      return reply(WireFailure.because(.invalid, "a range names its partitions"))
    }
    guard let wanted = partitions(request.groups, reply) else { return }
    guard request.at > 0 else { return serveNewestClosed(request, wanted, reply) }
    let at = Version(rawValue: request.at)
    guard isPinned(at) || heldReads.admits(at, now: now) else {
      return reply(notRetained(at, floor: catalog.catalog?.floor ?? .zero))
    }
    whenNotFuture(at, reply) { [self] in
      whenAllReadable(wanted, at: at) { [self] failure in
        if let failure = failure ?? arcFailure(request.groups, request.arcBits, wanted) { return reply(failure) }
        reply(read(request, wanted, at: at))
      }
    }
  }

  /// The partitions of these groups; nil after a reply that says which has no replica here.
  func partitions(_ groups: [UInt32], _ reply: @escaping Reply) -> [Partition]? {
    var wanted: [Partition] = []
    for group in Set(groups).sorted() {
      guard let partition = replicas[GroupID(rawValue: group)]?.machine as? Partition else {
        reply(lack(of: GroupID(rawValue: group)))
        return nil
      }
      wanted.append(partition)
    }
    return wanted
  }

  /// Why a partition can't be read here.
  func lack(of group: GroupID) -> WireResponse.OneOf_Body {
    if let problem = fences.problemForGood(of: group) { return WireFailure.because(.damaged, problem) }
    let words =
      fences.holds(group)
      ? "the replica of partition \(group) on node \(id) is damaged, and waits for another to take its place; see kv status"
      : "node \(id) has no replica of partition \(group)"
    return WireFailure.because(.notLeader, words, leader: router.leader(of: group))
  }

  /// Reads at the newest version up to which the replicas here know every write, and says how old that is.
  private func serveNewestClosed(_ request: WireRangeRequest, _ partitions: [Partition], _ reply: @escaping Reply) {
    let followers = partitions.filter { $0.replica?.leads != true }
    guard let at = followers.map(\.closed.version).min() else {
      return versions.latest { [self] version in
        guard let version else {
          return reply(WireFailure.because(.unavailable, "the oracle did not answer in time"))
        }
        serve(request, partitions, at: version, lag: 0, reply)
      }
    }
    closedVersions.wasUsed()
    let lags = followers.compactMap(\.lag)
    guard at > .zero, lags.count == followers.count, let lag = lags.max() else {
      return reply(WireFailure.because(.unavailable, "node \(id) has not heard yet which versions are closed"))
    }
    serve(request, partitions, at: at, lag: lag, reply)
  }

  private func serve(
    _ request: WireRangeRequest, _ partitions: [Partition], at version: Version, lag: UInt64, _ reply: @escaping Reply
  ) {
    whenAllReadable(partitions, at: version) { [self] failure in
      let failure = failure ?? arcFailure(request.groups, request.arcBits, partitions)
      let body = failure ?? read(request, partitions, at: version)
      guard case .range(var response) = body else { return reply(body) }
      response.at = version.rawValue
      response.lagMs = UInt32(clamping: lag)
      response.node = id.rawValue
      reply(.range(response))
    }
  }

  /// Calls back once a read at a version may be served by all of some partitions.
  func whenAllReadable(
    _ partitions: [Partition], at version: Version, _ done: @escaping (WireResponse.OneOf_Body?) -> Void
  ) {
    var left = partitions.count
    var failure: WireResponse.OneOf_Body?
    for partition in partitions {
      partition.whenReadableAnywhere(at: version) { answer in
        failure = failure ?? answer
        left -= 1
        if left == 0 { done(failure) }
      }
    }
  }

  /// The answer to who takes a partition to own more than it does: a range that went on would miss the other half.
  func arcFailure(_ groups: [UInt32], _ bits: [UInt32], _ partitions: [Partition]) -> WireResponse.OneOf_Body? {
    let bits = Dictionary(zip(groups, bits)) { first, _ in first }
    for partition in partitions {
      let isKnown = bits[partition.group.rawValue].map { $0 == UInt32(partition.arc.bits) } ?? !partition.wasSplit
      guard isKnown, partition.split.proposed == nil else { return partition.notLeader }
    }
    return nil
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
    do throws(StoreError) {
      while let record = try merge.next() {
        record.encode(into: &writer, keyOnly: request.keysOnly)
        count += 1
        if count == limit || writer.count >= credit {
          response.more = try !merge.isAtEnd()
          break
        }
      }
    } catch {
      // What was read before it is sound, and what can't be is the next part's matter, if there is one.
      guard count > 0 else { throw error }
      response.more = true
    }
    response.records = writer.data
    return response
  }
}
