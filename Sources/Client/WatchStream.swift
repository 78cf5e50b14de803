public import Bytes
import Wire

/// The changes of keys, one after the other in the order of their versions, across all partitions, without a gap and none
/// twice; a tombstone is a deletion.
///
/// The oracle is asked for a version, then each leader for what it has up to there; then each is asked to say when there
/// is more. Nodes keep nothing of a watch but a question that waits. Where a node fails or leads no more, what was not
/// given out yet is asked for anew: so it does not matter who leads when.
public final class WatchStream {
  /// Every change up to here was given out.
  public private(set) var position: Version
  /// What last kept the watch from going on, in words, until something arrives.
  public private(set) var trouble: String?
  private let client: Client
  private let query: WatchQuery
  /// The nodes that lead the partitions watched; none before the map was looked at.
  private var sources: [WatchSource] = []
  /// The version up to which the changes under way go; nil between two rounds.
  private var end: Version?
  /// The version of the change given out last, whose companions may be under way.
  private var given: Version?
  /// Whether there may be changes.
  private var hasNews = true
  private var lastRound: UInt64 = 0
  private var rest: UInt64 = 0

  init(_ client: Client, _ query: WatchQuery, after: Version) {
    self.client = client
    self.query = query
    position = after
  }

  /// The next change; nil where none has come by the deadline, a moment `milliseconds` from now. What concerns the
  /// cluster's health is borne with and tried again; an error ends the watch.
  public func next(within milliseconds: UInt64) throws(ClientError) -> Record? {
    let deadline = client.surroundings.now + milliseconds
    repeat {
      do throws(WatchTrouble) {
        if end == nil, try !begin(by: deadline) { return nil }
        if let change = try advance() { return change }
      } catch {
        try recover(error, until: deadline)
      }
    } while client.surroundings.now < deadline
    return nil
  }

  /// The next change of the round; nil after the last.
  private func advance() throws(WatchTrouble) -> Record? {
    guard let end else { return nil }
    // What shares its version with the change before has arrived with it.
    if let source = nextSource(of: given) { return give(from: source) }
    try fill(end)
    guard let source = nextSource(of: sources.compactMap(\.head).min()) else {
      position = max(position, end)
      self.end = nil
      lastRound = client.surroundings.now
      return nil
    }
    return give(from: source)
  }

  /// The source of the next change of a version, in the order of keys.
  private func nextSource(of version: Version?) -> WatchSource? {
    guard let version else { return nil }
    var first: (key: Key, source: WatchSource)?
    for source in sources where source.head == version {
      guard let key = source.next?.key, first.map({ key < $0.key }) ?? true else { continue }
      first = (key, source)
    }
    return first?.source
  }

  private func give(from source: WatchSource) -> Record {
    let change = source.take()
    // A part of an answer never ends within a version: so this shows whether it was its last change. A batch may lie with
    // more than one node, where its partition was split since.
    given = sources.contains { $0.head == change.version } ? change.version : nil
    if given == nil { position = max(position, change.version) }
    return change
  }

  /// Waits until the next change of every source up to a version is known.
  private func fill(_ end: Version) throws(WatchTrouble) {
    let deadline = client.deadline
    while true {
      let hungry = sources.filter { $0.isHungry(below: end) }
      guard !hungry.isEmpty else { return }
      let time = client.answerTime(until: deadline)
      for source in hungry { try ask(source, through: end, time: time, until: deadline) }
      for source in hungry {
        guard let changes = try answer(of: source, until: client.surroundings.now + time) else {
          source.abandon()
          throw WatchTrouble(.lost("gave no answer within \(time) ms"), at: source.address)
        }
        if let wrong = source.accept(changes, end: end) { throw WatchTrouble(.lost(wrong), at: source.address) }
      }
      trouble = nil
      rest = 0
    }
  }

  // MARK: Between two rounds

  /// Waits for news until a moment, and begins a round; false where none came.
  private func begin(by deadline: UInt64) throws(WatchTrouble) -> Bool {
    if sources.isEmpty { try route() }
    if !hasNews { try listen(until: deadline) }
    let isDue = client.surroundings.now >= lastRound + ClientLimits.quietWatch
    guard hasNews || isDue else { return false }
    let version: Version
    do throws(ClientError) { version = try client.latestVersion() } catch { throw WatchTrouble(error: error) }
    hasNews = false
    guard version > position else {
      lastRound = client.surroundings.now
      return true
    }
    // The questions that wait were asked before: they would hide what comes up to that version.
    try route()
    end = version
    return true
  }

  /// Asks all sources to say when there is something, and waits for one that does.
  private func listen(until deadline: UInt64) throws(WatchTrouble) {
    while !hasNews, client.surroundings.now < deadline {
      for source in sources {
        try ask(source, through: nil, time: ClientLimits.watchTime, until: client.deadline)
        if let answer = try answer(of: source, until: 0), answer.news { hasNews = true }
        if source.silence > ClientLimits.watchTime + ClientLimits.watchSilence {
          source.abandon()
          throw WatchTrouble(.lost("says nothing"), at: source.address)
        }
      }
      guard !hasNews, client.surroundings.now < lastRound + ClientLimits.quietWatch else { return }
      let channels = sources.compactMap(\.channel)
      client.surroundings.wait(for: channels, until: min(deadline, lastRound + ClientLimits.quietWatch))
    }
  }

  /// Makes a source of each node that leads a partition which is watched.
  private func route() throws(WatchTrouble) {
    let map: ClusterMap
    do throws(ClientError) {
      map = if let young = client.youngMap { young } else { try client.freshMap(until: client.deadline) }
    } catch {
      throw WatchTrouble(error: error)
    }
    var byAddress: [String: [ClusterMap.Part]] = [:]
    for part in query.parts(of: map) {
      // A replica that is alone can say why it doesn't lead.
      let holders = map.holders(of: part)
      guard let address = (part.leader ?? (holders.count == 1 ? holders[0] : nil)).flatMap({ map.address(of: $0) })
      else {
        throw WatchTrouble(.lost("has no leader"), at: "partition \(part.group)")
      }
      byAddress[address, default: []].append(part)
    }
    sources = byAddress.sorted { $0.key < $1.key }.map {
      WatchSource(client, query, address: $0.key, parts: $0.value, after: position)
    }
  }

  // MARK: Questions and answers

  private func ask(_ source: WatchSource, through end: Version?, time: UInt64, until deadline: UInt64)
    throws(WatchTrouble)
  {
    do throws(ChannelFailure) {
      try source.ask(through: end, time: time, until: deadline)
    } catch {
      throw WatchTrouble(.unsent(error), at: source.address)
    }
  }

  /// A source's answer, which holds changes; nil where none has come by a moment.
  private func answer(of source: WatchSource, until deadline: UInt64) throws(WatchTrouble) -> WireWatchResponse? {
    let answer: WireResponse.OneOf_Body?
    do throws(ChannelFailure) {
      answer = try source.answer(until: deadline)
    } catch {
      throw WatchTrouble(.unsent(error), at: source.address)
    }
    guard let answer else { return nil }
    guard case .watch(let changes) = answer else { throw WatchTrouble(.answered(answer), at: source.address) }
    return changes
  }

  /// Begins anew behind what was given out, or gives up where that would not help.
  private func recover(_ failure: WatchTrouble, until deadline: UInt64) throws(ClientError) {
    guard failure.mayPass else { throw failure.error }
    trouble = "\(failure.error)"
    sources = []
    end = nil
    given = nil
    hasNews = true
    client.mapExpires = 0
    rest = min(max(2 * rest, ClientLimits.firstRest), ClientLimits.longestRest)
    client.surroundings.sleep(milliseconds: min(rest, deadline - min(deadline, client.surroundings.now)))
  }
}

/// Why a watch could not go on as it was.
struct WatchTrouble: Error {
  let error: ClientError

  init(error: ClientError) {
    self.error = error
  }

  /// What an attempt at a peer came to, other than changes.
  init(_ outcome: Outcome, at peer: String) {
    var attempts = Attempts("watch")
    switch attempts.record(outcome, at: peer) {
    case .failed(let error): self.error = error
    case .done: error = .unavailable("watch: \(peer): sent an answer that doesn't fit the request")
    case .again, .without: error = .unavailable("watch\(attempts.listed)")
    }
  }

  /// Whether trying again may help: who leads changes, nodes start again, disks are mended.
  var mayPass: Bool {
    if case .unavailable = error { true } else { false }
  }
}

extension Client {
  /// The changes of keys, from a version on.
  public func watch(_ query: WatchQuery) throws(ClientError) -> WatchStream {
    for key in [query.min, query.max].compactMap(\.self) { try Client.check(bound: key) }
    loadMap()
    let after: Version
    if let given = query.after { after = given } else { after = try latestVersion() }
    return WatchStream(self, query, after: after)
  }
}
