import Bytes

/// One fault that a run has in store.
public struct PlannedFault: Sendable {
  /// Its place in the plan, by which `--only` keeps it.
  public let number: Int
  /// What happens.
  public let kind: FaultKind
  /// When it begins, in milliseconds after the clients did.
  let begin: UInt64
  /// How long it lasts, in milliseconds.
  let length: UInt64
  /// Whom it hits, by place among the nodes; wraps around.
  let victim: Int
  /// From which all else about it is drawn.
  let seed: UInt64

  /// The fault in words.
  public var words: String { "\(number): \(kind.rawValue) of victim \(victim) at \(begin) ms for \(length) ms" }
}

/// The faults of a run, drawn before it begins: so that any of them can be left out without changing the rest.
enum FaultPlan {
  static func make(seed: UInt64, profile: Profile, milliseconds: UInt64) -> [PlannedFault] {
    let total = profile.shares.reduce(0) { $0 + $1.share }
    guard total > 0 else { return [] }
    var random = SplitMix64(seed: SplitMix64.mix(seed) ^ 0xfa17)
    var plan: [PlannedFault] = []
    var time: UInt64 = UInt64.random(in: profile.pause, using: &random)
    while time + 500 < milliseconds {
      var ticket = Int.random(in: 0..<total, using: &random)
      var kind = profile.shares[0].kind
      for entry in profile.shares where ticket >= 0 {
        kind = entry.kind
        ticket -= entry.share
      }
      plan.append(
        PlannedFault(
          number: plan.count, kind: kind, begin: time, length: UInt64.random(in: 50...4_000, using: &random),
          victim: Int.random(in: 0..<64, using: &random), seed: random.next()))
      time += UInt64.random(in: profile.pause, using: &random)
    }
    return plan
  }
}
