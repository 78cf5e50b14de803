import Bytes
import Node
import Wire

// What a scenario expects.
extension ClusterScenario {
  func expect(_ words: inout Words) throws(LineError) {
    let subject = try words.next("what")
    if subject == "leader" { return try expectLeader(&words) }
    if subject == "filled" { return try expectFilled(&words) }
    if let id = nodeNames[subject] ?? UInt32(subject).map(NodeID.init(rawValue:)) {
      return try expectNode(id, try words.next("a state"), &words)
    }
    if answers[subject] != nil || isKnown(subject) { return try expectAnswer(subject, &words) }
    try expectValue(subject, &words)
  }

  private func expectLeader(_ words: inout Words) throws(LineError) {
    let key = try words.next("a key")
    let isNegative = words.take("not")
    let wanted = try node(&words)
    let found = leader(of: key)
    if (found == wanted) == isNegative { throw LineError("\(found.map { "node \($0)" } ?? "nobody") leads") }
  }

  private func expectNode(_ id: NodeID, _ state: String, _ words: inout Words) throws(LineError) {
    let stop = world.stops.last { $0.node == id }?.reason
    let found = world.hosts[id] != nil ? "up" : refusals[id] != nil ? "refusing" : stop != nil ? "stopped" : "down"
    if found != state { throw LineError("node \(id) is \(found) \(refusals[id] ?? stop ?? "")") }
    let reason = refusals[id] ?? stop ?? ""
    while let word = words.rest.first {
      _ = words.take(word)
      if !reason.contains(word) { throw LineError("the reason is: \(reason)") }
    }
  }

  private func expectAnswer(_ name: String, _ words: inout Words) throws(LineError) {
    let wanted = try words.next("an outcome")
    switch wanted {
    case "same":
      _ = words.take("as")
      let other = try words.next("a name")
      let (one, two) = (try version(of: name), try version(of: other))
      if one != two { throw LineError("the versions are \(one) and \(two)") }
    case "after":
      let other = try words.next("a name")
      let (one, two) = (try version(of: name), try version(of: other))
      if one <= two { throw LineError("the versions are \(one) and \(two)") }
    default:
      let found = outcome(answers[name])
      let isMet =
        wanted == found || wanted == "notDone" && ["unavailable", "notLeader", "refused", "diskFull"].contains(found)
      if !isMet { throw LineError("\(name) is \(found)") }
    }
  }

  /// What `fill` wrote, in every replica: its value, or a word that it can't be read, and nothing else. A replica that
  /// asks another for the answer must get it, and counts as one that can't read.
  private func expectFilled(_ words: inout Words) throws(LineError) {
    guard words.take("everywhere") else { throw LineError("where?") }
    for (key, write) in filled.sorted(by: { $0.key < $1.key }) {
      let request = Requests.make(
        .readAt(write.version), key: Array(key.utf8), session: [], sequence: 0, isEventual: true)
      var readable = 0
      for host in world.hosts.values.sorted(by: { $0.id < $1.id }) {
        guard let group = host.node.group(of: Array(key.utf8)), host.node.groups.contains(group) else { continue }
        var body: WireResponse.OneOf_Body?
        host.node.handle(request, from: SimulatedWorld.admin) { body = $0 }
        let readsItself = body != nil
        if !readsItself { world.run(milliseconds: UInt64(Requests.timeoutMilliseconds)) { body != nil } }
        switch body {
        case .get(let response)? where response.value.array == write.value: readable += readsItself ? 1 : 0
        // A leader that can't read hands over instead.
        case .failure(let failure)? where failure.code == .damaged || failure.code == .notLeader: break
        case let other: throw LineError("\(key) on node \(host.id) is \(outcome(other).prefix(60))")
        }
      }
      if readable < 2 { throw LineError("\(key) can be read on \(readable) nodes alone") }
    }
  }

  private func outcome(_ body: WireResponse.OneOf_Body?) -> String {
    switch body {
    case nil: "waiting"
    case .write(let response): response.version == 0 ? "absent" : "done"
    case .get(let response): response.found ? String(decoding: response.value, as: UTF8.self) : "absent"
    case .failure(let failure): failure.code == .unknownOutcome ? "unknown" : "\(failure.code)"
    case .some(let other): "\(other)"
    }
  }

  /// A key's value through a leader, or in every replica.
  private func expectValue(_ key: String, _ words: inout Words) throws(LineError) {
    let wanted = try words.next("a value")
    var version: Version?
    if words.take("at") { version = try self.version(of: try words.next("a name")) }
    let intent: Intent = version.map { .readAt($0) } ?? .read
    guard words.take("everywhere") else {
      let request = Requests.make(intent, key: Array(key.utf8), session: [], sequence: 0, isEventual: false)
      let found = outcome(world.ask(request))
      if found != wanted { throw LineError("\(key) is \(found)") }
      return
    }
    let request = Requests.make(intent, key: Array(key.utf8), session: [], sequence: 0, isEventual: true)
    for host in world.hosts.values.sorted(by: { $0.id < $1.id }) {
      var body: WireResponse.OneOf_Body?
      host.node.handle(request, from: SimulatedWorld.admin) { body = $0 }
      let found = outcome(body)
      if found != wanted { throw LineError("\(key) is \(found) on node \(host.id)") }
    }
  }
}
