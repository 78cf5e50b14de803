import Bytes
import Environment
import Node
import Wire

/// Runs a scenario on a simulated cluster of whole nodes.
public final class ClusterScenario {
  let world: SimulatedWorld
  /// What became of requests, by name.
  var answers: [String: WireResponse.OneOf_Body] = [:]
  /// The names of requests that were sent, answered or not.
  private var names: Set<String> = []
  /// The last answer of a request that has no name.
  var last: WireResponse.OneOf_Body?
  /// Nodes by the names that the scenario gave them.
  private(set) var nodeNames: [String: NodeID] = [:]
  /// What `fill` wrote last, by key.
  private(set) var filled: [String: (value: [UInt8], version: Version)] = [:]
  private var sequences: [String: UInt64] = [:]
  private var nextID: UInt64 = 1
  /// The nodes that refused to start, and why.
  private(set) var refusals: [NodeID: String] = [:]

  private init(nodes: Int, partitions: Int, format: UInt32?) throws {
    var options = Torment.options
    if let format { options.format = format }
    world = try SimulatedWorld(seed: 1, partitions: partitions, options: options)
    for _ in 1..<max(1, nodes) { _ = try world.join() }
  }

  /// Runs a scenario; throws where it does not go as it says. With `trace` the words of all that happened are kept.
  public static func run(_ scenario: Scenario, trace: ((String) -> Void)? = nil) throws(ScenarioFailure) {
    var runner: ClusterScenario?
    func fail(_ line: Scenario.Line?, _ words: String) -> ScenarioFailure {
      if let trace, let runner { for line in runner.world.trace.lines { trace(line) } }
      return ScenarioFailure(scenario: scenario.name, line: line?.number ?? 0, text: line?.text ?? "", found: words)
    }
    for line in scenario.lines {
      do {
        var words = Words(line.words)
        if let runner {
          runner.world.say("LINE \(line.number): \(line.text)")
          try runner.perform(&words)
        } else {
          guard words.take("nodes") else { throw LineError("a scenario begins with `nodes`") }
          let nodes = Int(try words.number())
          let partitions = words.take("partitions") ? Int(try words.number()) : 1
          let format = words.take("format") ? UInt32(clamping: try words.number()) : nil
          let made = try ClusterScenario(nodes: nodes, partitions: partitions, format: format)
          made.world.trace.keepsWords = trace != nil
          runner = made
          try made.settle()
        }
        try words.end()
      } catch let error as LineError {
        throw fail(line, error.words)
      } catch {
        throw fail(line, "\(error)")
      }
    }
  }

  private func perform(_ words: inout Words) throws {
    switch try words.next("a command") {
    case "send":
      let what = try words.next("put, delete or get")
      try request(what, &words, waits: false)
    case let what where ["put", "delete", "get"].contains(what): try request(what, &words, waits: true)
    case "call":
      let name = try words.next("a name")
      if words.take("other") {
        let taken = Set(nodeNames.values)
        nodeNames[name] = world.nodes.first { !taken.contains($0) }
      } else {
        nodeNames[name] = try node(&words)
      }
    case "await":
      let name = try words.next("a name")
      world.run(milliseconds: 15_000) { answers[name] != nil }
    case "run": world.run(milliseconds: try words.milliseconds())
    case "settle": try settle(isDiminished: words.take("diminished"))
    case "fill": try fill(count: Int(try words.number()), bytes: Int(try words.number()))
    case "kill": world.exit(try node(&words))
    case "power-off": try powerOff(&words)
    case "start": try start(&words)
    case "freeze": world.freeze(try node(&words))
    case "thaw": world.thaw(try node(&words))
    case "drain":
      let id = try node(&words)
      world.hosts[id]?.node.drain { [world] in world.exit(id) }
    case "lights-out": for id in world.nodes { world.kill(id) }
    case "cut": try cut(&words)
    case "heal": world.mend()
    case "reset":
      let id = try node(&words)
      for other in world.nodes where other != id { world.reset(id, other) }
    case "fail", "full", "room", "slow", "stall", "flip", "erase": try harm(&words)
    case "wall":
      let id = try node(&words)
      world.clocks[id]?.setWallError(try offset(try words.next("a time")))
    case "join": _ = try world.join()
    case "expect": try expect(&words)
    case let other: throw LineError("\(other) is no command")
    }
  }

  private func settle(isDiminished: Bool = false) throws(LineError) {
    let ailment = world.settle(milliseconds: 60_000, isDiminished: isDiminished)
    if let ailment { throw LineError(ailment) }
  }

  /// Puts large values, so that tables are made and merged.
  private func fill(count: Int, bytes: Int) throws(LineError) {
    for number in 0..<count {
      let key = "fill\(number % 40)"
      let value = Array("\(number) ".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: bytes)
      send(.write(value: value, condition: .none), key: key, id: "fill#\(nextID)", via: nil, as: "fill", waits: true)
      nextID += 1
      filled[key] = (value, try version(of: "fill"))
    }
  }

  // MARK: Nodes

  /// A number, or `leader KEY`.
  func node(_ words: inout Words) throws(LineError) -> NodeID {
    if let word = words.rest.first, let id = nodeNames[word] {
      _ = words.take(word)
      return id
    }
    guard words.take("leader") else { return NodeID(rawValue: UInt32(clamping: try words.number("a node"))) }
    guard let leader = leader(of: try words.next("a key")) else { throw LineError("nobody leads") }
    return leader
  }

  func leader(of key: String) -> NodeID? {
    world.hosts.values.sorted { $0.id < $1.id }.first { host in
      let group = key == "catalog" ? GroupID.catalog : host.node.group(of: Array(key.utf8))
      return !host.isFrozen && group.map { host.node.leads($0) } ?? false
    }?.id
  }

  private func powerOff(_ words: inout Words) throws {
    guard words.take("in") else { return world.kill(try node(&words)) }
    guard words.take("job") else { throw LineError("in what?") }
    let id = try node(&words)
    world.hosts[id]?.powerOffInNextJob = words.take("after") ? Int(try words.number()) : 0
  }

  private func start(_ words: inout Words) throws {
    let ids = words.take("all") ? world.nodes : [try node(&words)]
    for id in ids {
      do {
        refusals[id] = nil
        try world.start(id)
      } catch {
        refusals[id] = "\(error)"
      }
    }
  }

  private func cut(_ words: inout Words) throws(LineError) {
    let id = try node(&words)
    if words.take("->") { return world.cut(from: id, to: try node(&words)) }
    for other in world.nodes where other != id {
      world.cut(from: id, to: other)
      world.cut(from: other, to: id)
    }
  }

  private func offset(_ word: String) throws(LineError) -> Int64 {
    let units: [Character: Int64] = ["s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
    guard let last = word.last, let unit = units[last], let count = Int64(word.dropLast()) else {
      throw LineError("\(word) is no time")
    }
    return count * unit
  }

  // MARK: Requests

  private func request(_ what: String, _ words: inout Words, waits: Bool) throws(LineError) {
    let key = try words.next("a key")
    var value: [UInt8]?
    if what == "put" { value = Array(try words.next("a value").utf8) }
    var condition = Intent.Condition.none
    var id = "#\(nextID)"
    nextID += 1
    var name: String?
    var via: NodeID?
    var version: Version?
    while let word = words.rest.first {
      switch word {
      case "if":
        _ = words.take("if")
        condition = words.take("absent") ? .absent : .version(try self.version(of: try words.next("a name")))
      case "id":
        _ = words.take("id")
        id = try words.next("a name")
      case "as":
        _ = words.take("as")
        name = try words.next("a name")
      case "via":
        _ = words.take("via")
        via = try node(&words)
      case "at":
        _ = words.take("at")
        version = try self.version(of: try words.next("a name"))
      default: throw LineError("\(word) is too much")
      }
    }
    let intent: Intent =
      what == "get" ? version.map { .readAt($0) } ?? .read : .write(value: value, condition: condition)
    send(intent, key: key, id: id, via: via, as: name, waits: waits)
  }

  private func send(_ intent: Intent, key: String, id: String, via: NodeID?, as name: String?, waits: Bool) {
    let number = sequences[id] ?? UInt64(sequences.count) + 1
    sequences[id] = number
    // A session for each id: none is acknowledged before it is asked again.
    let session = Requests.session(client: Int(number), wallMilliseconds: world.startMilliseconds)
    let request = Requests.make(intent, key: Array(key.utf8), session: session, sequence: 1, isEventual: false)
    if let name {
      answers[name] = nil
      names.insert(name)
    }
    last = nil
    guard let target = via ?? world.hosts.values.filter({ !$0.isFrozen }).map(\.id).min() else { return }
    world.send(request, to: target) { [self] body in
      if let name { answers[name] = body } else { last = body }
    }
    if waits { world.run(milliseconds: 15_000) { name.map { answers[$0] != nil } ?? (last != nil) } }
  }

  /// Whether a request of this name was sent.
  func isKnown(_ name: String) -> Bool { names.contains(name) }

  /// The version that a named request gave or found.
  func version(of name: String) throws(LineError) -> Version {
    switch answers[name] {
    case .write(let response)?: return Version(rawValue: response.version)
    case .get(let response)? where response.found: return Version(rawValue: response.version)
    case let other: throw LineError("\(name) gave no version: \(other.map { "\($0)" } ?? "no answer")")
    }
  }
}
