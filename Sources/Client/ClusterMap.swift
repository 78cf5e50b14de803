import Bytes
import HashRing
import Wire

/// Where everything is, as one node knew it at one time: checked, and still only a hint. It never changes; a class,
/// since it is handed about on every request.
final class ClusterMap {
  /// The message, as it came.
  let message: WireMapResponse
  private let partitions: PartitionMap
  /// The leader of each partition, in the order of `partitions`; nil where the node knew none.
  private let leaders: [NodeID?]
  private let addresses: [NodeID: String]

  /// A part of the ring and who leads it.
  struct Part: Equatable {
    let arc: Arc
    let group: GroupID
    let leader: NodeID?
  }

  /// Checks a map that came from a network or a disk; nil where it isn't a whole map of this cluster.
  init?(untrusted message: WireMapResponse, cluster: String) {
    guard message.cluster == cluster, message.members.count <= Limits.nodes else { return nil }
    var addresses: [NodeID: String] = [:]
    for member in message.members {
      guard HostPort(parsing: member.address) != nil,
        addresses.updateValue(member.address, forKey: NodeID(rawValue: member.id)) == nil
      else { return nil }
    }
    var leaders: [GroupID: NodeID] = [:]
    do throws(RingError) {
      var entries: [PartitionEntry] = []
      for partition in message.partitions {
        let arc = try Arc(validating: UInt64(partition.bits), prefix: partition.prefix)
        let group = GroupID(rawValue: partition.group)
        let voters = partition.voters.map { ReplicaAssignment(replica: ReplicaID(rawValue: $0), state: .voter) }
        entries.append(PartitionEntry(group: group, arc: arc, epoch: message.epoch, replicas: voters))
        // A leader whose address nobody knows is of no use.
        let leader = NodeID(rawValue: partition.leader)
        if addresses[leader] != nil { leaders[group] = leader }
      }
      partitions = try PartitionMap(epoch: message.epoch, partitions: entries)
    } catch {
      return nil
    }
    self.message = message
    self.addresses = addresses
    self.leaders = partitions.partitions.map { leaders[$0.group] }
  }

  /// The addresses of all members, in the order of the message.
  var allAddresses: [String] { message.members.map(\.address) }

  /// Where a node is.
  func address(of node: NodeID) -> String? { addresses[node] }

  /// The partition that owns a key.
  func group(of key: Key) -> GroupID { partitions.partitions[partitions.place(of: Position(of: key))].group }

  /// The leader of the partition that owns a key.
  func leader(of key: Key) -> NodeID? { leaders[partitions.place(of: Position(of: key))] }

  /// The nodes that hold a replica of the partition that owns a key, the leader first.
  func holders(of key: Key) -> [NodeID] {
    let place = partitions.place(of: Position(of: key))
    let others = partitions.partitions[place].voters.map(\.node).filter { $0 != leaders[place] }
    return (leaders[place].map { [$0] } ?? []) + others
  }

  /// The nodes that hold a replica of a partition.
  func holders(of part: Part) -> [NodeID] {
    partitions.lookup(part.group)?.voters.map(\.node) ?? []
  }

  /// All partitions, in ring order.
  var parts: [Part] {
    zip(partitions.partitions, leaders).map { Part(arc: $0.arc, group: $0.group, leader: $1) }
  }
}
