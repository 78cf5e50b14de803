import Bytes
import Environment
import Wire

/// Asks the members for their wall clocks, on the catalog's leader, and says what time it is.
final class ClockWatch {
  private unowned let node: Node
  private var time = ClusterTime()
  /// Since when this node leads the catalog.
  private var leadsSince: Moment?
  private var nextQuestion = Moment(rawValue: 0)
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
    if leadsSince == nil { (leadsSince, time, nextQuestion) = (node.now, ClusterTime(), node.now) }
    guard node.now >= nextQuestion else { return }
    nextQuestion = node.now.advanced(milliseconds: Limits.clockQuestionMilliseconds)
    let deadline = node.now.advanced(milliseconds: Limits.oracleMilliseconds)
    for member in catalog.nodes.map({ NodeID(rawValue: $0.id) }) where member != node.id {
      node.call(member, .with { $0.clock = WireClockRequest() }, deadline: deadline) { [self] result in
        guard case .answered(.clock(let answer)) = result else { return }
        time.heard(member, wall: answer.wallMs, steady: steady)
      }
    }
    report()
  }

  /// The time by which versions are given out; nil until most members, this node among them, have told theirs.
  func wallMilliseconds() -> UInt64? {
    let members = node.catalog.catalog?.nodes.count ?? 1
    guard time.count(steady: steady) >= members / 2 else { return nil }
    return time.follow(own: node.host.clock.wallMilliseconds, steady: steady)
  }

  /// What is wrong with this node's clock, in words; nil: nothing that is known here.
  var problem: String? {
    guard leadsSince != nil else { return nil }
    let own = node.host.clock.wallMilliseconds
    let agreed = time.wall(own: own, steady: steady)
    guard agreed != own else { return nil }
    let (seconds, way) = own > agreed ? ((own - agreed) / 1000, "ahead of") : ((agreed - own) / 1000, "behind")
    return "the clock is \(seconds) s \(way) the other members' and is not used for versions; set it"
  }

  private func report() {
    guard node.now >= nextReport, let problem else { return }
    nextReport = node.now.advanced(milliseconds: Limits.clockReportMilliseconds)
    node.host.log(.error, problem)
  }
}
