import Bytes
import Glibc
import Testing

@testable import Raft

/// A group under random faults, checked after every step.
struct Torment {
  let cluster: TestCluster
  private var nextReplica: UInt32
  private var nextPayload: UInt64 = 0

  init(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var options = RaftOptions()
    options.maxMessageBytes = Int.random(in: 1...150, using: &random)
    options.maxApplyBytes = 200
    options.maxInflightMessages = 4
    options.maxLogBytes = 600
    options.tellsCommitAtOnce = seed.isMultiple(of: 2)
    options.quiescenceTicks = seed.isMultiple(of: 3) ? 1 : 0
    let size: UInt32 = Bool.random(using: &random) ? 3 : 5
    cluster = TestCluster(voters: Array(1...size), options: options, seed: seed)
    cluster.faults = .init(
      dropPermille: Int.random(in: 0...60, using: &random), duplicatePermille: Int.random(in: 0...60, using: &random),
      delay: 0...UInt64.random(in: 1...60, using: &random), strayPermille: Int.random(in: 0...20, using: &random))
    nextReplica = size + 1
    for node in cluster.nodes { loosen(node) }
  }

  /// A clock of its own speed, within the drift that leases allow for, and a disk and machine that lag.
  private func loosen(_ node: TestNode) {
    node.syncsByItself = false
    node.appliesByItself = false
    node.syncPermille = cluster.chance(300) ? 100 : 700
    node.applyPermille = cluster.chance(200) ? 100 : 700
    node.clockRate = UInt64.random(in: 952...1048, using: &cluster.random)
  }

  mutating func step() {
    cluster.run(milliseconds: UInt64.random(in: 1...40, using: &cluster.random), step: 20)
    for node in cluster.nodes {
      if cluster.chance(node.syncPermille) { cluster.sync(node, Int.random(in: 1...4, using: &cluster.random)) }
      if cluster.chance(node.applyPermille) { cluster.apply(node, Int.random(in: 1...8, using: &cluster.random)) }
    }
    act()
    cluster.check()
  }

  private func any() -> TestNode {
    cluster.nodes[Int.random(in: 0..<cluster.nodes.count, using: &cluster.random)]
  }

  private mutating func act() {
    let dice = Int.random(in: 0..<1000, using: &cluster.random)
    let node = any()
    switch dice {
    case 0..<350: propose(cluster.chance(800) ? cluster.leader ?? node : node)
    case 350..<500: _ = cluster.read(cluster.leaders.randomElement(using: &cluster.random) ?? node)
    case 500..<530: _ = cluster.readFromFollower(node)
    case 530..<560: crash(cluster.chance(500) ? cluster.leader ?? node : node)
    case 560..<640: cluster.nodes.first { $0.core == nil }.map { cluster.restart($0) }
    case 640..<665: cluster.partition(cluster.nodes.map(\.id).filter { _ in cluster.chance(400) })
    case 665..<675: cutOneWay(node)
    case 675..<680: cluster.leader.map { cluster.partition([$0.id, node.id]) }
    case 680..<730: cluster.heal()
    case 730..<740: node.frozenUntil = cluster.now + UInt64.random(in: 100...3000, using: &cluster.random) * millisecond
    case 740..<790: if let applied = node.core?.applied { compact(node, through: applied) }
    case 790..<810: if node.core != nil { node.flush() }
    case 810..<830: transfer(to: node)
    case 830..<860: changeMembership()
    case 860..<865: cluster.with(node) { core, clock in core.campaign(now: clock) }
    case 865..<870: cluster.with(node) { core, _ in core.reportUnreachable(any().id) }
    case 870..<890 where cluster.options.quiescenceTicks > 0: rest()
    default: break
    }
  }

  /// Nothing happens but what the network and the pulses do, so that the group becomes quiescent.
  private func rest() {
    for _ in 0..<Int.random(in: 5...60, using: &cluster.random) {
      cluster.run(milliseconds: 50, step: 25)
      for node in cluster.nodes {
        cluster.sync(node)
        cluster.apply(node)
      }
      cluster.check()
    }
  }

  private mutating func propose(_ node: TestNode) {
    var payloads: [[UInt8]] = []
    for _ in 0..<Int.random(in: 1...4, using: &cluster.random) {
      nextPayload += 1
      var writer = ByteWriter()
      writer.u64(nextPayload)
      payloads.append(writer.bytes)
    }
    cluster.with(node) { core, clock in _ = try? core.propose(payloads, now: clock) }
  }

  private func crash(_ node: TestNode) {
    let down = cluster.nodes.count { $0.core == nil }
    guard node.core != nil, down * 2 < cluster.nodes.count else { return }
    node.crash(surviving: cluster.chance(500) ? 0 : Int.random(in: 0...node.writes.count, using: &cluster.random))
    if cluster.chance(500) { cluster.restart(node) }
  }

  private func compact(_ node: TestNode, through applied: LogIndex) {
    guard let core = node.core else { return }
    node.compact(through: cluster.chance(500) ? applied : core.compactionIndex(flushed: applied))
  }

  private func cutOneWay(_ node: TestNode) {
    let id = node.id
    let outward = Bool.random(using: &cluster.random)
    cluster.isCut = { outward ? $0.from == id : $0.to == id }
  }

  private func transfer(to node: TestNode) {
    guard let leader = cluster.leader else { return }
    cluster.with(leader) { core, clock in try? core.transferLeadership(to: node.id, now: clock) }
  }

  private mutating func changeMembership() {
    guard let leader = cluster.leader, let membership = leader.core?.membership else { return }
    var steps: [MembershipChange.Step] = []
    let wanted = Int.random(in: 1...3, using: &cluster.random)
    for _ in 0..<wanted {
      let member = membership.members.randomElement(using: &cluster.random) ?? leader.id
      switch Int.random(in: 0..<4, using: &cluster.random) {
      case 0 where nextReplica < 12:
        cluster.addEmpty(nextReplica)
        loosen(cluster.node(nextReplica))
        steps.append(cluster.chance(500) ? .addLearner(replica(nextReplica)) : .addVoter(replica(nextReplica)))
        nextReplica += 1
      case 1: steps.append(.remove(member))
      case 2: steps.append(.addVoter(member))
      default: steps.append(.addLearner(member))
      }
    }
    let change: MembershipChange =
      if membership.isJoint {
        .leaveJoint
      } else if steps.count == 1 && cluster.chance(700) {
        .simple(steps)
      } else {
        .joint(steps, autoLeave: cluster.chance(800))
      }
    cluster.with(leader) { core, clock in _ = try? core.propose(membership: change, now: clock) }
  }

  /// After all faults have ended the group must work again, with everything that was committed.
  mutating func recover() {
    cluster.faults = .init()
    cluster.heal()
    for node in cluster.nodes {
      node.frozenUntil = 0
      if node.core == nil { cluster.restart(node) }
      node.syncsByItself = true
      node.appliesByItself = true
      cluster.sync(node)
      cluster.apply(node)
    }
    let before = cluster.history.maxCommit
    let works = cluster.run(within: 40_000) { cluster in
      guard let leader = cluster.leader, let core = leader.core, core.hasCommittedInTerm, core.applied == core.lastIndex
      else { return false }
      let members = core.membership.members.map { cluster.node($0) }
      return core.commit >= before && members.allSatisfy { $0.machine.index == core.applied }
    }
    if !works {
      let states = cluster.nodes.compactMap { $0.core?.status }
      cluster.history.fault("no recovery: \(states.map { "\n\($0)" })")
    }
    cluster.check()
  }
}

@Suite("A group under random faults")
struct RandomTests {
  private static var seeds: ClosedRange<UInt64> {
    let count = getenv("RAFT_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 200
    let first = getenv("RAFT_FIRST_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
    return first...(first + count - 1)
  }

  @Test("keeps every promise of Raft, of reads and of leases, whatever is lost, late, doubled, cut or restarted")
  func torment() {
    var sums = Sums()
    for seed in RandomTests.seeds {
      var torment = Torment(seed: seed)
      for step in 0..<250 where torment.cluster.history.faults.isEmpty {
        torment.step()
        if let fault = torment.cluster.history.faults.first { Issue.record("seed \(seed), step \(step): \(fault)") }
      }
      guard torment.cluster.history.faults.isEmpty else { continue }
      torment.recover()
      if let fault = torment.cluster.history.faults.first { Issue.record("seed \(seed), recovery: \(fault)") }
      sums.add(torment.cluster.history)
    }
    // The runs must have been worth it.
    #expect(sums.isRich(runs: RandomTests.seeds.count), "too little happened: \(sums)")
  }

  /// How much happened in all runs.
  private struct Sums {
    var elections = 0
    var committed = 0
    var reads = 0
    var leases = 0
    var installs = 0
    var changes = 0
    var forcedVotes = 0
    var pulses = 0

    mutating func add(_ history: History) {
      elections += history.elections
      committed += Int(history.maxCommit.rawValue)
      reads += history.readsAnswered
      leases += history.leasesSeen
      installs += history.installs
      changes += history.changes
      forcedVotes += history.transfers
      pulses += history.pulsesCounted
    }

    func isRich(runs: Int) -> Bool {
      elections > runs && committed > 20 * runs && reads > 5 * runs && leases > 20 * runs && installs > runs / 2
        && changes > runs && forcedVotes > runs / 2 && pulses > 10 * runs
    }
  }
}
