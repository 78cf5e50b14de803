import Bytes
import Environment
import Wire

/// Asks the members, on the catalog's leader, for their wall clocks and the versions that they know, and says what time it
/// is.
final class ClockWatch {
  private unowned let node: Node
  private var time = ClusterTime()
  /// Since when this node leads the catalog.
  private var leadsSince: Moment?
  private var askedAt: Moment?
  private var nextReport = Moment(rawValue: 0)

  init(node: Node) {
    self.node = node
  }

  private var steady: UInt64 { node.now.rawValue / 1_000_000 }

  func tick() {
    guard let replica = node.catalog.replica, replica.core.isLeader, let catalog = node.catalog.catalog else {
      leadsSince = nil
      return
    }
    if leadsSince == nil { (leadsSince, time, askedAt) = (node.now, ClusterTime(), nil) }
    // Versions wait for the answers that are missing: of a leader that is new, or of members that have just joined.
    let pause = isCertain ? Limits.clockQuestionMilliseconds : Limits.clockUrgentMilliseconds
    if let askedAt, node.now < askedAt.advanced(milliseconds: pause) { return }
    askedAt = node.now
    let deadline = node.now.advanced(milliseconds: Limits.oracleMilliseconds)
    for member in catalog.living.map({ NodeID(rawValue: $0.id) }) where member != node.id {
      node.call(member, .with { $0.clock = WireClockRequest() }, deadline: deadline) { [self] result in
        guard case .answered(.clock(let answer)) = result else { return }
        node.versions.heard(Version(rawValue: answer.known))
        time.heard(member, wall: answer.wallMs, steady: steady)
      }
    }
    report()
  }

  /// Whether as many members have told their time, this node among them, as are most of the catalog's voters: so many
  /// are there where a node leads. A member that was enrolled and never ran, or is down, holds nothing up.
  private var isCertain: Bool {
    time.count(steady: steady) >= (node.catalog.replica?.core.membership.voters.count ?? 1) / 2
  }

  /// The time by which versions are given out; nil until enough members have told theirs.
  func wallMilliseconds() -> UInt64? {
    guard isCertain else { return nil }
    return time.follow(own: node.host.clock.wallMilliseconds, steady: steady)
  }

  /// What is wrong with the members' clocks, in words; nothing where another node asks them.
  var problems: [String] {
    guard leadsSince != nil else { return [] }
    return time.astray(own: node.host.clock.wallMilliseconds, steady: steady).map { member, ahead in
      "node \(member ?? node.id): its clock is \(ahead.magnitude / 1000) s \(ahead > 0 ? "ahead of" : "behind") the other "
        + "members' and is not used for versions; set it"
    }
  }

  private func report() {
    guard node.now >= nextReport else { return }
    let problems = problems
    guard !problems.isEmpty else { return }
    nextReport = node.now.advanced(milliseconds: Limits.clockReportMilliseconds)
    for problem in problems { node.host.log(.error, problem) }
  }
}
