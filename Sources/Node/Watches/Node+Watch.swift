import Bytes
import Environment
import HashRing
import Store
import Wire

// The changes of partitions that this node leads, merged into the order of their versions. Nothing is kept here between
// two requests: what was given out already is the asker's to know.
extension Node {
  func serve(_ request: WireWatchRequest, deadline: Moment, reply: @escaping Reply) {
    guard !request.groups.isEmpty, request.groups.count <= Limits.partitions,
      request.groups.count == request.bits.count
    else {
      return reply(
        WireFailure.because(.invalid, "a request for changes names its partitions and the sizes of their arcs"))
    }
    var wanted: [Partition] = []
    for (group, bits) in zip(request.groups, request.bits) {
      let group = GroupID(rawValue: group)
      guard let partition = replicas[group]?.machine as? Partition else { return reply(lack(of: group)) }
      guard UInt32(partition.arc.bits) == bits else {
        return reply(
          WireFailure.because(
            .notLeader, "node \(id) has no replica of partition \(group) of that size", leader: router.leader(of: group)
          ))
      }
      wanted.append(partition)
    }
    guard changeScans < Limits.changeScans else {
      return reply(WireFailure.because(.unavailable, "node \(id) looks through as many tables for changes as it may"))
    }
    let query = WatchQuestion(request)
    guard query.through > .zero else { return changeWaits.add(query, in: wanted, deadline: deadline, reply: reply) }
    whenNotFuture(query.through, reply) { [self] in
      whenAllReadable(wanted, at: query.through) { [self] failure in
        if let failure = failure ?? arcFailure(request.groups, request.bits, wanted) { return reply(failure) }
        gather(query, from: wanted) { reply($0) }
      }
    }
  }

  private func gather(_ query: WatchQuestion, from partitions: [Partition], _ done: @escaping Reply) {
    var parts: [ChangePart] = []
    var failure: WireResponse.OneOf_Body?
    var left = partitions.count
    let share = query.shared(among: left)
    for partition in partitions {
      partition.changes(share) { [self] result in
        switch result {
        case .success(let part): parts.append(part)
        case .failure(let error): failure = failure ?? self.failure(error, of: partition.group)
        }
        left -= 1
        if left == 0 { done(failure ?? .watch(Node.merged(parts, query))) }
      }
    }
  }

  /// What is complete in all parts, cut at the credit but never within a version; of one version in the order of keys.
  private static func merged(_ parts: [ChangePart], _ query: WatchQuestion) -> WireWatchResponse {
    var through = parts.map(\.through).min() ?? query.through
    let changes = parts.flatMap(\.changes).filter { $0.version <= through }.sorted {
      ($0.version, $0.key) < ($1.version, $1.key)
    }
    var writer = ByteWriter()
    var last = Version.zero
    for record in changes {
      if writer.count >= query.credit, record.version > last {
        through = last
        break
      }
      record.encode(into: &writer)
      last = record.version
    }
    return .with {
      $0.records = writer.data
      $0.through = through.rawValue
    }
  }
}
