/// A choice of faults that a cluster must stand together, and how often they come.
public struct Profile: Sendable {
  /// What `--profile` takes.
  public let name: String
  /// What it is for.
  public let summary: String
  /// The faults, each with its share.
  let shares: [(kind: FaultKind, share: Int)]
  /// The pause between the beginnings of two faults, in milliseconds.
  let pause: ClosedRange<UInt64>
  /// Whether the faults may leave one node unable to serve until somebody mends its disk: what lies on it counts as
  /// unknown at the end.
  let sparesNoDisk: Bool
  /// Of a hundred requests of a client, how many write several keys together.
  let batches: Int
  /// How long a client pauses between two requests, in microseconds.
  let thinking: ClosedRange<UInt64>

  /// How many writes the clients get done within a minute once all faults are over.
  var writesOnceWell: Int { thinking.upperBound > 1_000_000 ? 10 : 50 }

  /// All profiles, the default one first.
  public static let all: [Profile] = [standard, full, clocks, damage, loss, members, topology, batches, soak, calm]

  /// The profile of a name.
  public static func named(_ name: String) -> Profile? { all.first { $0.name == name } }

  private static let network: [(kind: FaultKind, share: Int)] = [
    (.isolate, 3), (.deaf, 2), (.mute, 2), (.split, 2), (.swizzle, 2), (.reset, 3), (.lossy, 3), (.slowNetwork, 2),
  ]
  private static let processes: [(kind: FaultKind, share: Int)] = [
    (.powerLoss, 3), (.tornJob, 3), (.kill, 3), (.lightsOut, 1), (.drain, 2), (.freeze, 4),
  ]

  static let standard = Profile(
    name: "default", summary: "all that a cluster must stand without losing service for good",
    shares: network + processes + [
      (.slowDisk, 2), (.diskStall, 2), (.syncFailure, 2), (.readError, 1), (.drift, 2), (.wallStep, 2),
    ])
  static let full = Profile(
    name: "full", summary: "disks without room, crashes", shares: processes + [(.diskFull, 10), (.reset, 2)])
  static let clocks = Profile(
    name: "clocks", summary: "wall clocks that leap by hours and days, crashes",
    shares: processes + [(.wallLeap, 8), (.wallStep, 3), (.drift, 3), (.isolate, 3)])
  static let damage = Profile(
    name: "damage", summary: "one node's disk flips bits, loses and misplaces writes",
    shares: processes + [(.flip, 8), (.lostWrite, 3), (.strayWrite, 3), (.isolate, 2)], sparesNoDisk: true)
  static let loss = Profile(
    name: "loss", summary: "a minority of the replicas loses its disk for ever",
    shares: network + processes + [(.diskLoss, 4)], sparesNoDisk: true)
  static let members = Profile(
    name: "members", summary: "nodes join, and replicas move to them, under faults",
    shares: network + processes + [(.join, 6)])
  static let topology = Profile(
    name: "topology", summary: "nodes join, leave and are lost, partitions split, under faults",
    shares: network + processes + [(.join, 7), (.leave, 6), (.lose, 3), (.splitPartition, 8)])
  static let batches = Profile(
    name: "batches", summary: "keys written together, while nodes join and leave and partitions split, under faults",
    shares: network + processes + [(.join, 3), (.leave, 2), (.splitPartition, 8), (.syncFailure, 2)], batches: 30)
  static let soak = Profile(
    name: "soak", summary: "the default one's faults, now and then: for hours",
    shares: standard.shares, pause: 10_000...90_000, thinking: 200_000...4_000_000)
  static let calm = Profile(name: "calm", summary: "no faults: for speed", shares: [], thinking: 500...3_000)

  private init(
    name: String, summary: String, shares: [(kind: FaultKind, share: Int)], pause: ClosedRange<UInt64> = 300...4_000,
    sparesNoDisk: Bool = false, batches: Int = 0, thinking: ClosedRange<UInt64> = 1_000...40_000
  ) {
    self.name = name
    self.summary = summary
    self.shares = shares
    self.pause = pause
    self.sparesNoDisk = sparesNoDisk
    self.batches = batches
    self.thinking = thinking
  }
}
