import Bytes

/// Who is right where replicas differ: what a majority of the voters hold with valid checksums; else nobody, and a
/// person decides (DESIGN §8). A pure function of what was found.
struct CheckVerdict: Equatable {
  /// What a check found of one replica.
  enum Finding: Equatable {
    /// It could not be checked: that says nothing for or against it.
    case notChecked
    /// Its files are not what they must be; what it holds has no vote.
    case damaged
    /// Its files are sound, and hold what has this root.
    case sound(root: [UInt8])
  }

  /// The replicas that hold what is right; empty where nobody can be said to be.
  let right: [ReplicaID]
  /// Those that a repair replaces.
  let wrong: [ReplicaID]
  /// Why there is no saying who is right, though something is wrong.
  let undecided: String?

  /// The verdict over the findings of all voters.
  init(_ findings: [(replica: ReplicaID, finding: Finding)]) {
    var holders: [[UInt8]: [ReplicaID]] = [:]
    var damaged: [ReplicaID] = []
    for (replica, finding) in findings {
      switch finding {
      case .sound(let root): holders[root, default: []].append(replica)
      case .damaged: damaged.append(replica)
      case .notChecked: break
      }
    }
    let majority = findings.count / 2 + 1
    guard !damaged.isEmpty || holders.count > 1 else {
      right = holders.values.first ?? []
      wrong = []
      undecided = nil
      return
    }
    guard let agreeing = holders.values.first(where: { $0.count >= majority }) else {
      right = []
      wrong = []
      undecided = Self.words(sound: holders.values.map(\.count).max() ?? 0, of: findings.count, majority)
      return
    }
    right = agreeing.sorted()
    wrong = (damaged + holders.values.flatMap { $0 }.filter { !agreeing.contains($0) }).sorted()
    undecided = nil
  }

  private static func words(sound: Int, of voters: Int, _ majority: Int) -> String {
    "\(sound) of \(voters) replicas agree with sound files, and it takes \(majority) to say who is right: "
      + "nothing is touched; see kv-repair(1) for what a person can do, before any of the nodes is restarted"
  }
}
