public import Bytes

/// Who votes in the catalog. Every node is a member of it and hears all; as many vote as `Limits.catalogVoters` says, of
/// those that stay, and as few of them as may be share a zone.
public enum CatalogSeats {
  /// A node that stays, as a member of the catalog.
  public struct Member: Equatable, Sendable {
    let replica: ReplicaID
    let zone: String
    let isVoter: Bool
    /// Whether it has all that is committed, and could vote at once.
    let isReady: Bool

    /// A member.
    public init(_ replica: ReplicaID, zone: String, isVoter: Bool, isReady: Bool) {
      self.replica = replica
      self.zone = zone
      self.isVoter = isVoter
      self.isReady = isReady
    }
  }

  /// One change of the voters.
  public enum Step: Equatable, Sendable {
    /// The member becomes a voter.
    case seat(ReplicaID)
    /// The voter becomes a learner.
    case unseat(ReplicaID)
    /// One takes the other's place at once.
    case exchange(out: ReplicaID, in: ReplicaID)
  }

  /// The next step towards the voters that shall be; nil where nothing is to be done, or nobody is ready for it. The
  /// leader keeps its vote.
  public static func next(_ members: [Member], leader: ReplicaID) -> Step? {
    let voters = members.filter(\.isVoter)
    let crowd = Dictionary(voters.map { ($0.zone, 1) }, uniquingKeysWith: +)
    func crowding(_ member: Member) -> Int { crowd[member.zone] ?? 0 }
    let newcomer = members.filter { !$0.isVoter && $0.isReady }
      .min { (crowding($0), $0.replica) < (crowding($1), $1.replica) }
    let goer = voters.filter { $0.replica != leader }
      .max { (crowding($0), $0.replica) < (crowding($1), $1.replica) }
    let wanted = Limits.catalogVoters(ofNodes: members.count)
    if voters.count < wanted { return newcomer.map { .seat($0.replica) } }
    guard let goer else { return nil }
    if voters.count > wanted { return .unseat(goer.replica) }
    guard let newcomer, crowding(goer) >= crowding(newcomer) + 2 else { return nil }
    return .exchange(out: goer.replica, in: newcomer.replica)
  }
}
