public import Bytes
import HashRing
import Wire

/// The records of a range, one after the other in key order, all at one version.
///
/// Every node streams the partitions that it leads; while the caller uses one part, the next is on its way. Memory is
/// bounded by the nodes and the credit that each one has. Where a node fails or leads no more, what it still owed is
/// asked of the new leaders, from behind the last record that it sent, at the same version.
public final class RangeStream {
  /// The version of the whole range: with the last key, where a later range may go on.
  public let version: Version
  /// Of a range that need not be the leaders': how fresh that version was.
  public let freshness: Freshness?
  private let client: Client
  private let query: RangeQuery
  private var sources: [RangeSource] = []
  private var tree: LoserTree<RangeHead>
  private var remaining: Int?
  /// What was given out last.
  private var last: RangeView?
  /// The part in which that lies.
  private var lastPart: RangePart?
  private var state = State.new

  private enum State {
    case new, merging, ended
    case failed(ClientError)
  }

  /// Whether replicas are asked that need not lead; no longer once one could not answer.
  private var asksReplicas: Bool

  init(_ client: Client, _ query: RangeQuery, at version: Version, freshness: Freshness? = nil) {
    self.freshness = freshness
    asksReplicas = freshness != nil
    self.client = client
    self.query = query
    self.version = version
    remaining = query.limit
    tree = LoserTree([])
  }

  /// The next record, or nil after the last. After an error the range is over, and incomplete.
  public func next() throws(ClientError) -> Record? { try nextView()?.record }

  /// The same, with the version that replaced the record, where that was asked for.
  public func nextLifespan() throws(ClientError) -> Lifespan? { try nextView().map { Lifespan($0.record, to: $0.to) } }

  /// The same, lent: until the next call.
  public func nextView() throws(ClientError) -> RangeView? {
    do throws(ClientError) {
      switch state {
      case .ended: return nil
      case .failed(let error): throw error
      case .new:
        if query.isEmpty { return end() }
        try open()
        state = .merging
      case .merging: try advance()
      }
      guard let winner = tree.winner, remaining != 0 else { return end() }
      let source = sources[winner]
      let view = source.take()
      if let last, !follows(last, view) {
        // Each source is in order by itself: two of them hold the same key.
        throw .internal("range: two nodes sent the same key: \(sources.map(\.address).joined(separator: ", "))")
      }
      last = view
      if source.part !== lastPart { lastPart = source.part }
      remaining = remaining.map { $0 - 1 }
      return view
    } catch {
      state = .failed(error)
      sources = []
      throw error
    }
  }

  /// Whether a record may come behind another. Of one key several may, where versions are asked for.
  private func follows(_ last: RangeView, _ view: RangeView) -> Bool {
    let order = compareBytes(last.key, view.key)
    if query.changes != nil, order == 0 { return view.version < last.version }
    return query.reverse ? order > 0 : order < 0
  }

  private func end() -> RangeView? {
    state = .ended
    sources = []
    return nil
  }

  /// Replaces the head that was given out last.
  private func advance() throws(ClientError) {
    guard remaining != 0, let winner = tree.winner else { return }
    guard sources[winner].isHungry else { return tree.replaceWinner(with: sources[winner].head) }
    var effort = RangeEffort(client)
    if try fill(&effort) {
      tree.replaceWinner(with: sources[winner].head)
    } else {
      plantTree()
    }
  }

  private func plantTree() {
    sources.removeAll { $0.head == nil }
    tree = LoserTree(sources.map(\.head))
  }

  private func open() throws(ClientError) {
    var effort = RangeEffort(client)
    let map = if let young = client.youngMap { young } else { try effort.map() }
    try route(map.parts, of: map, rest: query, &effort)
    _ = try fill(&effort)
    plantTree()
  }
}

extension RangeStream {
  /// Makes sources for parts of the ring and asks them.
  private func route(
    _ parts: [ClusterMap.Part], of map: ClusterMap, rest: RangeQuery, _ effort: inout RangeEffort
  ) throws(ClientError) {
    var (parts, map) = (parts, map)
    while let orphan = parts.first(where: { holder(of: $0, in: map, effort) == nil }) {
      _ = effort.attempts.record(.lost("has no replica that is known"), at: "partition \(orphan.group)")
      try effort.rest()
      map = try effort.map()
      parts = try successors(of: parts, in: map)
    }
    var byAddress: [String: [ClusterMap.Part]] = [:]
    for part in parts {
      if let holder = holder(of: part, in: map, effort) { byAddress[holder, default: []].append(part) }
    }
    for (address, parts) in byAddress.sorted(by: { $0.key < $1.key }) {
      let source = RangeSource(client, address: address, parts: parts, rest: rest, at: version)
      sources.append(source)
      source.ask(limit: share(of: source, map.parts.count), until: effort.deadline)
    }
  }

  /// The address of whom to ask for a part: its leader. Where none is known, or it gave nothing, one replica after the
  /// other: it may lead, or know enough of a version of the past, which needs no leader.
  private func holder(of part: ClusterMap.Part, in map: ClusterMap, _ effort: RangeEffort) -> String? {
    if asksReplicas { return client.nearestHolder(of: part, in: map) }
    let holders = ((part.leader.map { [$0] } ?? []) + map.holders(of: part)).compactMap { map.address(of: $0) }
    guard !holders.isEmpty else { return nil }
    return holders.first { !effort.tried.contains($0) } ?? holders[effort.round % holders.count]
  }

  /// Waits until every source has a head or has ended. True where they are still the same sources.
  private func fill(_ effort: inout RangeEffort) throws(ClientError) -> Bool {
    var isSame = true
    while let hungry = sources.firstIndex(where: \.isHungry) {
      let source = sources[hungry]
      source.ask(limit: share(of: source, partCount), until: effort.deadline)
      var outcome = source.answer(until: effort.deadline)
      if case .answered(let body) = outcome, !body.isFailure {
        if let wrong = accept(body, by: source) {
          outcome = .lost(wrong)
        } else {
          effort.progress()
          prefetch(source, effort)
          continue
        }
      }
      if case .failed(let error) = effort.attempts.record(outcome, at: source.address) { throw error }
      isSame = false
      try replace(hungry, &effort)
    }
    return isSame
  }

  private func accept(_ body: WireResponse.OneOf_Body, by source: RangeSource) -> String? {
    switch (body, query.changes) {
    case (.range(let answer), nil): return source.accept(answer)
    case (.changes(let answer), .some): return source.accept(answer)
    default: return "sent an answer that doesn't fit the request"
    }
  }

  /// Asks new leaders for what a source still owes.
  private func replace(_ place: Int, _ effort: inout RangeEffort) throws(ClientError) {
    let source = sources.remove(at: place)
    source.withdraw()
    asksReplicas = false
    effort.tried.insert(source.address)
    try effort.rest()
    let map = try effort.map()
    try route(try successors(of: source.parts, in: map), of: map, rest: source.rest, &effort)
  }

  /// The partitions that hold now what some others held: the same ones, or their halves.
  private func successors(
    of parts: [ClusterMap.Part], in map: ClusterMap
  ) throws(ClientError) -> [ClusterMap.Part] {
    let now = map.parts.filter { new in parts.contains { $0.arc.contains(new.arc) } }
    let covers = { (parts: [ClusterMap.Part]) in
      parts.reduce(0) { $0 + UInt128(1) << (UInt128(Arc.maximumBits) - UInt128($1.arc.bits)) }
    }
    guard covers(now) == covers(parts) else {
      throw .unavailable("range: the partitions were joined while it ran; begin again behind the last key")
    }
    return now
  }

  /// Asks for the next part while the caller uses this one; under a limit only if this one may not do.
  private func prefetch(_ source: RangeSource, _ effort: RangeEffort) {
    let share = share(of: source, partCount)
    if remaining == nil || source.stock < share { source.ask(limit: share, until: effort.deadline) }
  }

  private var partCount: Int { client.knownMap?.parts.count ?? 1 }

  /// How many records to ask of a source under a limit: its share of what is wanted, and two standard deviations (keys
  /// are spread by a hash, so that the count of a source is binomial). A third would make every range send more, and save
  /// one source in fifty a second question. 0 without a limit.
  private func share(of source: RangeSource, _ parts: Int) -> Int {
    guard let remaining else { return 0 }
    let mean = (Double(remaining) * Double(source.parts.count) / Double(max(parts, source.parts.count))).rounded(.up)
    let share = mean + 2 * mean.squareRoot().rounded(.up)
    return share < Double(remaining) ? Int(share) : remaining
  }
}

/// One wait for progress of a range: the attempts since the last one, and the time that is left.
struct RangeEffort {
  var attempts = Attempts("range")
  private(set) var deadline: UInt64
  /// How often it has rested.
  private(set) var round = 0
  /// Who gave nothing since.
  var tried: Set<String> = []
  private let client: Client
  private var nextRest: UInt64 = 0

  init(_ client: Client) {
    self.client = client
    deadline = client.deadline
  }

  /// A part arrived: the time begins anew.
  mutating func progress() { self = RangeEffort(client) }

  /// Rests before the next attempt, longer each time; the first time not at all.
  mutating func rest() throws(ClientError) {
    guard client.surroundings.now + nextRest < deadline else { throw attempts.expired(after: client.timeout) }
    if nextRest > 0 { client.surroundings.sleep(milliseconds: nextRest) }
    round += 1
    nextRest = min(max(2 * nextRest, ClientLimits.firstRest), ClientLimits.longestRest)
  }

  /// A new map, within the time.
  func map() throws(ClientError) -> ClusterMap {
    do throws(ClientError) {
      return try client.freshMap(until: deadline)
    } catch .unavailable(let words) {
      throw .unavailable("\(words)\(attempts.listed)")
    }
  }
}
