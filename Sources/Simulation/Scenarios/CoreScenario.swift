import Bytes
import Raft

/// Runs a scenario on a group of consensus cores.
public struct CoreScenario {
  let group = CoreGroup()
  private var membership = Membership()
  private var refusal: RaftError?
  /// Reads by name.
  var reads: [String: (replica: UInt32, context: UInt64)] = [:]

  private init() {}

  /// Runs a scenario; throws where it does not go as it says.
  public static func run(_ scenario: Scenario) throws(ScenarioFailure) {
    var runner = CoreScenario()
    for line in scenario.lines {
      do throws(LineError) {
        var words = Words(line.words)
        try runner.perform(&words)
        try words.end()
      } catch {
        throw ScenarioFailure(scenario: scenario.name, line: line.number, text: line.text, found: error.words)
      }
    }
  }

  private mutating func perform(_ words: inout Words) throws(LineError) {
    switch try words.next("a command") {
    case "voters": try addVoters(&words)
    case "replica": try addReplica(&words)
    case "empty": for number in try words.numbers() { group.addEmpty(number) }
    case "campaign":
      let replica = try words.replica()
      _ = group.with(replica) { core, now in core.campaign(now: now) }
    case "elect": try elect(try words.replica())
    case "deliver": try deliver(&words)
    case "drop":
      let fits = try filter(&words)
      group.drop(fits)
    case "cut": try cut(&words)
    case "heal": group.heal()
    case "tick": try tick(&words)
    case "pass": group.pass(nanoseconds: try words.milliseconds() * 1_000_000)
    case "propose": try propose(&words)
    case "stall": try some(try words.replica()).isStalled = true
    case "sync": group.sync(try words.replica())
    case "unstall":
      let number = try words.replica()
      try some(number).isStalled = false
      group.sync(number)
    case "crash":
      let replica = try some(try words.replica())
      replica.crash(keeping: words.take("keeping") ? Int(try words.number()) : 0)
    case "restart": for number in try words.numbers() { group.restart(number) }
    case "wipe": try some(try words.replica()).wipe()
    case "flush": try some(try words.replica()).flush()
    case "freeze": try some(try words.replica()).isFrozen = true
    case "thaw": try some(try words.replica()).isFrozen = false
    case "transfer": try transfer(&words)
    case "reconfigure": try reconfigure(&words)
    case "read": try read(&words)
    case "expect": try expect(&words)
    case let other: throw LineError("\(other) is no command")
    }
  }

  func some(_ number: UInt32) throws(LineError) -> CoreReplica {
    guard let replica = group.replicas[number] else { throw LineError("there is no replica \(number)") }
    return replica
  }

  // MARK: Members

  private mutating func addVoters(_ words: inout Words) throws(LineError) {
    var voters: [UInt32] = []
    var learners: [UInt32] = []
    while !words.isEmpty, !words.take("learners") { voters.append(try words.replica()) }
    learners = try words.numbers()
    membership = Membership(voters: voters.map(CoreGroup.id), learners: learners.map(CoreGroup.id))
    for number in voters + learners { group.add(number, membership: membership) }
  }

  /// `replica 1 of 1 2 3 term 4 log 2@1 3@2`
  private mutating func addReplica(_ words: inout Words) throws(LineError) {
    let number = try words.replica()
    guard words.take("of") else { throw LineError("of whom?") }
    var voters: [UInt32] = []
    while let word = words.rest.first, UInt32(word) != nil { voters.append(try words.replica()) }
    let term = words.take("term") ? Term(rawValue: try words.number()) : .zero
    var entries: [LogEntry] = []
    if words.take("log") {
      while !words.isEmpty {
        let (index, term) = try CoreScenario.place(try words.next("an entry"))
        entries.append(LogEntry(term: term, index: index, payload: Array("\(index)@\(term)".utf8)))
      }
    }
    group.add(number, membership: Membership(voters: voters.map(CoreGroup.id)), entries: entries, term: term)
  }

  /// `index@term`
  static func place(_ word: String) throws(LineError) -> (LogIndex, Term) {
    let parts = word.split(separator: "@").compactMap { UInt64($0) }
    guard parts.count == 2 else { throw LineError("\(word) is not index@term") }
    return (LogIndex(rawValue: parts[0]), Term(rawValue: parts[1]))
  }

  private func elect(_ number: UInt32) throws(LineError) {
    // Promises to an earlier leader must be over.
    group.pass(nanoseconds: 2 * group.options.electionTimeout)
    _ = group.with(number) { core, now in core.campaign(now: now) }
    group.deliverAll()
    guard try some(number).core?.isLeader == true else { throw LineError("replica \(number) was not elected") }
  }

  private mutating func reconfigure(_ words: inout Words) throws(LineError) {
    let number = try words.replica()
    var steps: [MembershipChange.Step] = []
    var isJoint = false
    var leavesByItself = true
    while !words.isEmpty {
      let word = try words.next("a step")
      if word == "joint" { isJoint = true; continue }
      if word == "stay" { leavesByItself = false; continue }
      if word == "leave" { return try propose(.leaveJoint, to: number) }
      guard let replica = UInt32(word.dropFirst()).map(CoreGroup.id) else { throw LineError("\(word) is no step") }
      switch word.first {
      case "+": steps.append(.addVoter(replica))
      case "~": steps.append(.addLearner(replica))
      case "-": steps.append(.remove(replica))
      default: throw LineError("\(word) is no step")
      }
    }
    try propose(isJoint ? .joint(steps, autoLeave: leavesByItself) : .simple(steps), to: number)
  }

  private mutating func propose(_ change: MembershipChange, to number: UInt32) throws(LineError) {
    attempt { [group] () throws(RaftError) in
      _ = try group.tryWith(number) { (core, now) throws(RaftError) in try core.propose(membership: change, now: now) }
    }
  }

  private mutating func attempt(_ body: () throws(RaftError) -> Void) {
    refusal = nil
    do throws(RaftError) { try body() } catch { refusal = error }
  }

  private mutating func propose(_ words: inout Words) throws(LineError) {
    let number = try words.replica()
    var payloads: [[UInt8]] = []
    while !words.isEmpty { payloads.append(Array(try words.next("a command").utf8)) }
    attempt { [group] () throws(RaftError) in
      _ = try group.tryWith(number) { (core, now) throws(RaftError) in try core.propose(payloads, now: now) }
    }
  }

  private mutating func transfer(_ words: inout Words) throws(LineError) {
    let number = try words.replica()
    _ = words.take("->")
    let target = CoreGroup.id(try words.replica())
    attempt { [group] () throws(RaftError) in
      _ = try group.tryWith(number) { (core, now) throws(RaftError) in
        try core.transferLeadership(to: target, now: now)
      }
    }
  }

  private mutating func read(_ words: inout Words) throws(LineError) {
    let number = try words.replica()
    let isByLeader = words.take("by") && words.take("leader")
    guard words.take("as") else { throw LineError("as what?") }
    let context = UInt64(reads.count) + 1
    reads[try words.next("a name")] = (number, context)
    attempt { [group] () throws(RaftError) in
      _ = try group.tryWith(number) { (core, now) throws(RaftError) in
        if isByLeader {
          try core.askReadIndex(context: context, now: now)
        } else {
          try core.readIndex(context: context, now: now)
        }
      }
    }
  }

  // MARK: Messages and time

  /// `1 -> 2 append`, any part of it, or nothing for all.
  private func filter(_ words: inout Words) throws(LineError) -> (Message) -> Bool {
    var from: UInt32?
    var to: UInt32?
    var kind: String?
    _ = words.take("all")
    if let word = words.rest.first, UInt32(word) != nil { from = try words.replica() }
    if words.take("->") { to = try words.replica() }
    if !words.isEmpty { kind = try words.next("a kind") }
    if let kind, !Message.Kind.allCases.contains(where: { "\($0)" == kind }) {
      throw LineError("\(kind) is no message")
    }
    return { message in
      (from == nil || message.from.node.rawValue == from) && (to == nil || message.to.node.rawValue == to)
        && (kind == nil || "\(message.kind)" == kind)
    }
  }

  private func deliver(_ words: inout Words) throws(LineError) {
    if words.isEmpty { return group.deliverAll() }
    let fits = try filter(&words)
    guard group.deliver(where: fits) else { throw LineError("no such message is on its way") }
    while group.deliver(where: fits) {}
  }

  private func cut(_ words: inout Words) throws(LineError) {
    let number = try words.replica()
    if words.take("->") { return group.cut(number, try words.replica()) }
    for other in group.numbers where other != number {
      group.cut(number, other)
      group.cut(other, number)
    }
  }

  private func tick(_ words: inout Words) throws(LineError) {
    let count = try words.number()
    let isQuiet = words.take("quietly")
    let only = words.take("only") ? try words.numbers() : nil
    for _ in 0..<count {
      group.tick(only: only)
      if !isQuiet { group.deliverAll() }
    }
  }

  // MARK: Expectations

  private func expect(_ words: inout Words) throws(LineError) {
    let first = try words.next("what")
    switch first {
    case "refused":
      let kind = try words.next("a refusal")
      guard let refusal, "\(refusal)".hasPrefix(kind) else {
        throw LineError("\(refusal.map { "\($0)" } ?? "not refused")")
      }
    case "taken": if let refusal { throw LineError("\(refusal)") }
    case "leader": try expect(group.leader, try words.replica(), "the leader")
    case "no":
      guard words.take("leader") else { throw LineError("no what?") }
      if let leader = group.leader { throw LineError("replica \(leader) leads") }
    case "read": try expectRead(&words)
    default:
      guard let number = UInt32(first) else { throw LineError("\(first) can't be expected") }
      try expectReplica(number, &words)
    }
  }

  private func expect<T: Equatable>(_ found: T?, _ wanted: T, _ name: String) throws(LineError) {
    if found != wanted { throw LineError("\(name) is \(found.map { "\($0)" } ?? "none")") }
  }

  private func expectRead(_ words: inout Words) throws(LineError) {
    let name = try words.next("a name")
    guard let (number, context) = reads[name] else { throw LineError("there is no read \(name)") }
    let replica = try some(number)
    let found =
      replica.answeredReads[context] != nil
      ? "answered" : replica.rejectedReads.contains(context) ? "rejected" : "waiting"
    try expect(found, try words.next("a fate"), "the read")
  }

  private func expectReplica(_ number: UInt32, _ words: inout Words) throws(LineError) {
    let replica = try some(number)
    guard let core = replica.core else { throw LineError("replica \(number) is down") }
    switch try words.next("what") {
    case "role": try expect("\(core.status.role)", try words.next("a role"), "the role")
    case "term": try expect(core.term.rawValue, try words.number(), "the term")
    case "commit": try expect(core.commit.rawValue, try words.number(), "the commit index")
    case "follows": try expect(core.leader.node.rawValue, try words.replica(), "its leader")
    case "lease": try expect(core.leaseHolds(now: group.now), try words.next("yes or no") == "yes", "the lease")
    case "violations": try expect(core.status.violations, try words.number(), "the count of violations")
    case "log":
      let found = replica.log.map { "\($0.index)@\($0.term)" }.joined(separator: " ")
      let wanted = words.rest.joined(separator: " ")
      words = Words([])
      try expect(found, wanted, "the log")
    case "applied":
      let wanted = Array(words.rest)
      words = Words([])
      try expect(replica.machine.commands, wanted, "what is applied")
    case "voters":
      try expect(core.membership.voters.map(\.node.rawValue), try words.numbers(), "the voters")
    case "outgoing":
      try expect(core.membership.outgoing.map(\.node.rawValue), try words.numbers(), "the outgoing voters")
    case "learners":
      try expect(core.membership.learners.map(\.node.rawValue), try words.numbers(), "the learners")
    case let other: throw LineError("\(other) can't be expected of a replica")
    }
  }
}

extension CoreGroup {
  /// `with`, for calls that the core may refuse.
  func tryWith<T>(
    _ number: UInt32, _ body: (inout RaftCore, UInt64) throws(RaftError) -> T
  ) throws(RaftError) -> T? {
    var result: Result<T, RaftError>?
    _ = with(number) { core, now in result = Result { () throws(RaftError) in try body(&core, now) } }
    return try result?.get()
  }
}
