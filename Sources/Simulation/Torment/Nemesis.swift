import Bytes
import Environment
import Node

/// Carries out a plan of faults in a world, and in the end puts everything right that can be put right.
final class Nemesis {
  private unowned let world: SimulatedWorld
  private let sparesNoDisk: Bool
  /// How often each fault really happened.
  private(set) var counts: [FaultKind: Int] = [:]
  /// Nodes that don't start any more, and why: their disks are damaged.
  private(set) var fenced: [NodeID: String] = [:]
  /// What nodes said of replicas that had lost something: they take no part until they are replaced.
  private(set) var losses: [String] = []
  private var lossy = 0
  private var slow = 0
  private var joining = 0
  /// The nodes whose wall clocks have leapt.
  private var astray: Set<NodeID> = []
  private var isOver = false
  /// The one node whose disk is bad, where a profile allows one.
  private let badDisk: Int

  init(world: SimulatedWorld, plan: [PlannedFault], profile: Profile, seed: UInt64) {
    self.world = world
    sparesNoDisk = profile.sparesNoDisk
    badDisk = Int(SplitMix64.mix(seed ^ 0xbad) % 64)
    world.onFence = { [weak self] in self?.losses.append($0) }
    for fault in plan {
      world.after(milliseconds: fault.begin) { [weak self] in
        guard let self, !isOver else { return }
        begin(fault)
      }
    }
  }

  private func victim(_ fault: PlannedFault) -> NodeID? {
    let nodes = world.nodes
    return nodes.isEmpty ? nil : nodes[fault.victim % nodes.count]
  }

  private func count(_ fault: PlannedFault) {
    counts[fault.kind, default: 0] += 1
    world.trace.note(3, UInt64(fault.number), world.time)
    world.say("FAULT \(fault.words)")
  }

  private func later(_ fault: PlannedFault, _ action: @escaping (Nemesis) -> Void) {
    world.after(milliseconds: fault.length) { [weak self] in
      if let self, !isOver { action(self) }
    }
  }

  private func begin(_ fault: PlannedFault) {
    guard let victim = victim(fault) else { return }
    var random = SplitMix64(seed: fault.seed)
    switch fault.kind {
    case .powerLoss, .kill, .tornJob, .lightsOut, .drain, .freeze: stop(fault, victim, &random)
    case .isolate, .deaf, .mute, .split, .swizzle, .reset, .lossy, .slowNetwork: disturb(fault, victim, &random)
    case .slowDisk, .diskStall, .syncFailure, .readError, .diskFull: hinder(fault, victim, &random)
    case .flip, .lostWrite, .strayWrite, .diskLoss: damage(fault, &random)
    case .drift, .wallStep, .wallLeap: mislead(fault, victim, &random)
    case .join: join(fault)
    case .leave, .lose, .splitPartition: rearrange(fault, victim)
    }
  }

  /// Starts a node that is down, unless its disk keeps it from that.
  func revive(_ id: NodeID) {
    guard world.hosts[id] == nil, world.nodes.contains(id) else { return }
    do {
      try world.start(id)
      fenced[id] = nil
    } catch NodeError.departed {
      // It was killed between the note of that and its end.
      world.lose(id)
    } catch {
      world.say("node \(id) does not start: \(error)")
      fenced[id] = "\(error)"
    }
  }

  // MARK: Processes

  private func stop(_ fault: PlannedFault, _ victim: NodeID, _ random: inout SplitMix64) {
    guard let host = world.hosts[victim] else { return }
    count(fault)
    switch fault.kind {
    case .powerLoss: world.kill(victim)
    case .kill: world.exit(victim)
    case .tornJob: host.powerOffInNextJob = Int.random(in: 0...3, using: &random)
    case .lightsOut:
      for id in world.hosts.keys.sorted() { world.kill(id) }
      return later(fault) { nemesis in for id in nemesis.world.nodes { nemesis.revive(id) } }
    case .drain:
      host.node.drain { [unowned self, unowned host] in
        guard world.hosts[victim] === host else { return }
        world.exit(victim)
        if isOver { revive(victim) }
      }
    default:
      world.freeze(victim)
      return later(fault) { $0.world.thaw(victim) }
    }
    later(fault) { nemesis in
      nemesis.world.hosts[victim]?.powerOffInNextJob = nil
      nemesis.revive(victim)
    }
  }

  // MARK: Network

  private func disturb(_ fault: PlannedFault, _ victim: NodeID, _ random: inout SplitMix64) {
    let nodes = world.nodes
    let others = nodes.filter { $0 != victim }
    guard !others.isEmpty else { return }
    count(fault)
    var cuts: [SimulatedNetwork.Link] = []
    switch fault.kind {
    case .isolate: for other in others { cuts += [link(victim, other), link(other, victim)] }
    case .deaf: for other in others { cuts.append(link(other, victim)) }
    case .mute: for other in others { cuts.append(link(victim, other)) }
    case .split:
      let side = others.filter { _ in Bool.random(using: &random) } + [victim]
      for one in side {
        for other in nodes where !side.contains(other) { cuts += [link(one, other), link(other, one)] }
      }
    case .swizzle: return swizzle(fault, nodes, &random)
    case .reset:
      for one in nodes {
        for other in nodes where one < other && Bool.random(using: &random) { world.reset(one, other) }
      }
    case .lossy: weather(fault, \.lossy)
    default: weather(fault, \.slow)
    }
    for link in cuts { world.cut(from: link.sender, to: link.receiver) }
    if !cuts.isEmpty {
      later(fault) { nemesis in for link in cuts { nemesis.world.mend(from: link.sender, to: link.receiver) } }
    }
  }

  private func link(_ sender: NodeID, _ receiver: NodeID) -> SimulatedNetwork.Link {
    SimulatedNetwork.Link(sender: sender, receiver: receiver)
  }

  /// Cuts nodes off one by one in one order and brings them back in another (FoundationDB's swizzle-clog).
  private func swizzle(_ fault: PlannedFault, _ nodes: [NodeID], _ random: inout SplitMix64) {
    let chosen = nodes.filter { _ in Int.random(in: 0..<3, using: &random) > 0 }.shuffled(using: &random)
    let back = chosen.shuffled(using: &random)
    let step = max(1, fault.length / UInt64(2 * max(1, chosen.count)))
    for (place, node) in chosen.enumerated() {
      world.after(milliseconds: step * UInt64(place)) { [weak self] in
        guard let self, !isOver else { return }
        for other in nodes where other != node {
          world.cut(from: node, to: other)
          world.cut(from: other, to: node)
        }
      }
    }
    for (place, node) in back.enumerated() {
      world.after(milliseconds: step * UInt64(chosen.count + place + 1)) { [weak self] in
        guard let self else { return }
        for other in nodes where other != node {
          world.mend(from: node, to: other)
          world.mend(from: other, to: node)
        }
      }
    }
  }

  private func weather(_ fault: PlannedFault, _ kind: ReferenceWritableKeyPath<Nemesis, Int>) {
    self[keyPath: kind] += 1
    setWeather()
    later(fault) { nemesis in
      nemesis[keyPath: kind] -= 1
      nemesis.setWeather()
    }
  }

  private func setWeather() {
    var weather = SimulatedNetwork.Weather()
    if lossy > 0 { (weather.drop, weather.double, weather.stray) = (150, 100, 50) }
    if slow > 0 { weather.delay = 5_000...400_000 }
    world.network.weather = weather
  }

  // MARK: Disks

  private func hinder(_ fault: PlannedFault, _ victim: NodeID, _ random: inout SplitMix64) {
    guard let host = world.hosts[victim] else { return }
    count(fault)
    let disk = host.disk
    switch fault.kind {
    case .slowDisk:
      host.diskSlowness = UInt64.random(in: 10...500, using: &random)
      return later(fault) { $0.world.hosts[victim]?.diskSlowness = 1 }
    case .diskStall:
      host.diskStallsUntil = world.time + fault.length * 1_000_000
      return
    case .diskFull:
      let used = disk.files(under: "/").reduce(0) { $0 + ($1.bytes + 4095) / 4096 * 4096 }
      disk.setCapacity(used + Int.random(in: 0...64, using: &random) * 4096)
      return later(fault) { nemesis in
        disk.setCapacity(nil)
        nemesis.revive(victim)
      }
    case .syncFailure:
      disk.inject(DiskFault { $0.kind == .sync })
    default:
      disk.inject(DiskFault(times: nil) { $0.kind == .read && $0.path.hasSuffix(".sst") })
    }
    later(fault) { nemesis in
      disk.clearFaults()
      nemesis.revive(victim)
    }
  }

  private func damage(_ fault: PlannedFault, _ random: inout SplitMix64) {
    let nodes = world.nodes
    guard !nodes.isEmpty else { return }
    if fault.kind == .diskLoss {
      // However many nodes there are, a partition has three replicas, and each must keep a majority.
      guard lost < (min(nodes.count + lost, 3) - 1) / 2, let victim = victim(fault) else { return }
      count(fault)
      lost += 1
      return world.lose(victim)
    }
    let victim = nodes[badDisk % nodes.count]
    guard let disk = world.disks[victim] else { return }
    count(fault)
    switch fault.kind {
    case .flip:
      let files = disk.files(under: SimulatedWorld.directory).filter { $0.bytes > 0 }
      guard let file = files.randomElement(using: &random) else { return }
      let offset = Int.random(in: 0..<file.bytes, using: &random)
      world.say("a bit of \(file.path) on node \(victim) flips at \(offset)")
      disk.flip(file.path, at: offset, mask: 1 << UInt8.random(in: 0..<8, using: &random))
    case .lostWrite:
      disk.inject(.lostWrite { $0.path.hasSuffix(".sst") })
    default:
      disk.inject(.strayWrite(by: Int.random(in: 1...8, using: &random) * 4096) { $0.path.hasSuffix(".sst") })
    }
  }

  private var lost = 0

  // MARK: Clocks

  private func mislead(_ fault: PlannedFault, _ victim: NodeID, _ random: inout SplitMix64) {
    guard let clock = world.clocks[victim] else { return }
    count(fault)
    let hour: Int64 = 3_600_000
    switch fault.kind {
    case .drift: clock.setDrift(Int64.random(in: -48_000...48_000, using: &random))
    case .wallStep where astray.contains(victim): break
    case .wallStep: clock.setWallError(Int64.random(in: -8_000...8_000, using: &random))
    default:
      // The members' median must stay right: no more than a minority leaps at a time.
      guard astray.count < (world.nodes.count - 1) / 2, !astray.contains(victim) else { return clock.setWallError(0) }
      astray.insert(victim)
      let leap = [-hour, 24 * hour, -24 * hour, 2 * hour, -10 * hour, 90_000].randomElement(using: &random) ?? hour
      clock.setWallError(leap)
      later(fault) { nemesis in
        nemesis.world.clocks[victim]?.setWallError(0)
        nemesis.astray.remove(victim)
      }
    }
  }

  // MARK: Members

  private func join(_ fault: PlannedFault) {
    guard world.nodes.count + joining < 7 else { return }
    count(fault)
    joining += 1
    world.enrol { [weak self] _ in self?.joining -= 1 }
  }

  private func rearrange(_ fault: PlannedFault, _ victim: NodeID) {
    // As many as every partition wants stay, and what comes is not counted: it may not arrive.
    let staying = world.nodes.count { !leaving.contains($0) }
    switch fault.kind {
    case .leave:
      guard staying > 3, !leaving.contains(victim) else { return }
      count(fault)
      leaving.insert(victim)
      world.ask(toLeave: victim)
    case .lose:
      // Each partition must have kept a majority, and the next may go only when that is made good.
      guard staying > 3, declaredLost.allSatisfy(world.isRemoved), world.isSettled, !leaving.contains(victim) else {
        return
      }
      count(fault)
      declaredLost.insert(victim)
      world.lose(victim)
      later(fault) { $0.world.declareLost(victim) }
    default:
      count(fault)
      world.splitPartition(number: Int(truncatingIfNeeded: fault.seed >> 33))
    }
  }

  /// The nodes that were asked to leave.
  private var leaving: Set<NodeID> = []
  private var declaredLost: Set<NodeID> = []

  // MARK: The end

  /// Ends all faults: the world is whole again, but for disks that are damaged or lost.
  func endFaults() {
    isOver = true
    world.say("all faults end")
    (lossy, slow) = (0, 0)
    setWeather()
    world.mend()
    for id in world.nodes {
      world.clocks[id]?.setDrift(0)
      world.clocks[id]?.setWallError(0)
      world.disks[id]?.clearFaults()
      world.disks[id]?.setCapacity(nil)
      guard let host = world.hosts[id] else {
        revive(id)
        continue
      }
      host.diskSlowness = 1
      host.diskStallsUntil = 0
      host.powerOffInNextJob = nil
      if host.isFrozen { world.thaw(id) }
    }
    for id in declaredLost.sorted() { world.declareLost(id) }
  }
}
