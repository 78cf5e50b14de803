public import Bytes
import FoundationEssentials
import HashRing
import Wire

/// Carries out many writes and reads of single keys: up to a window of them are under way at once, over the
/// connections to all leaders.
///
/// Every request has an outcome of its own, given to the closure in any order. Two writes of one key are never under
/// way together, so that the later one lasts. Requests are gathered before they are sent: whoever waits for more input
/// calls `flush` first.
public final class Pipeline {
  /// What a request that was carried out brought.
  public enum Answer: Equatable, Sendable {
    /// The version of a write. A deletion that found no value has version 0.
    case written(Version)
    /// What a read found; nil where the key has no value.
    case found(Found?)
  }

  /// Takes the outcome of a request: its place in the order of adding, from 0, and what it brought. It must not call
  /// the pipeline.
  public typealias OutcomeHandler = (_ index: Int, _ outcome: Result<Answer, ClientError>) -> Void

  let client: Client
  private let window: Int
  private let outcome: OutcomeHandler
  private var count = 0
  /// Requests under way, by the number that was sent last for each.
  private var asked: [UInt64: PendingRequest] = [:]
  private var resting: [PendingRequest] = []
  /// The positions of the keys of writes. Keys that share one wait for each other, which does no harm.
  private var positions: Set<Position> = []
  private var bytes = 0
  private(set) var links: [Link] = []
  private var answers: [(request: UInt64, body: WireResponse.OneOf_Body)] = []
  /// No request's time is over before this moment.
  private(set) var nextCheck = UInt64.max

  init(_ client: Client, window: Int, outcome: @escaping OutcomeHandler) {
    self.client = client
    self.window = max(1, window)
    self.outcome = outcome
  }

  /// Adds a write; waits while the window is full, or while an earlier write of the key is under way. Gives its place
  /// in the order of adding, from 0.
  @discardableResult
  public func add(
    _ key: Key, _ value: [UInt8], tombstone: Bool = false, condition: WriteCondition = .none
  ) -> Int {
    defer { count += 1 }
    do throws(ClientError) {
      try Client.check(key)
      try Client.check(value: value)
    } catch {
      outcome(count, .failure(error))
      return count
    }
    let position = Position(of: key)
    makeRoom(for: key.bytes.count + value.count, at: position)
    var write = WireWriteRequest()
    write.key = Data(key.bytes)
    write.value = Data(tombstone ? [] : value)
    write.tombstone = tombstone
    write.set(condition)
    let (id, acknowledged) = client.session.take()
    write.name(id, acknowledged: acknowledged)
    positions.insert(position)
    begin(
      PendingRequest(
        index: count, key: key, id: id, body: .write(write), attempts: Attempts(tombstone ? "delete" : "put", write: id),
        bytes: key.bytes.count + value.count, deadline: client.deadline))
    return count
  }

  /// Adds a linearizable read of a key's latest value; waits while the window is full. Gives its place in the order of
  /// adding, from 0.
  @discardableResult
  public func get(_ key: Key) -> Int {
    defer { count += 1 }
    do throws(ClientError) {
      try Client.check(key)
    } catch {
      outcome(count, .failure(error))
      return count
    }
    makeRoom(for: key.bytes.count, at: nil)
    begin(
      PendingRequest(
        index: count, key: key, id: nil, body: .get(.with { $0.key = Data(key.bytes) }), attempts: Attempts("get"),
        bytes: key.bytes.count, deadline: client.deadline))
    return count
  }

  /// Sends what was gathered and takes in the answers that are there, without waiting for more.
  public func flush() {
    turn(waiting: false)
  }

  /// Waits until every request has its outcome.
  public func finish() {
    while underWay > 0 { turn(waiting: true) }
  }

  private func makeRoom(for size: Int, at position: Position?) {
    if count == 0 { findLeaders() }
    while underWay >= window || position.map(positions.contains) == true
      || bytes > 0 && bytes + size > ClientLimits.pipelineBytes.rawValue
    {
      turn(waiting: true)
    }
  }

  private func begin(_ request: PendingRequest) {
    bytes += request.bytes
    advance(request)
  }

  private var underWay: Int { asked.count + resting.count }
}

extension Pipeline {
  /// Many requests will follow: a map is worth its round trip. Without one they go anywhere.
  private func findLeaders() {
    client.loadMap()
    guard client.knownMap == nil else { return }
    _ = try? client.freshMap(until: client.surroundings.now + client.answerTime(until: client.deadline))
  }

  /// One turn: sends what is due, takes in what arrived, gives up what is too late.
  private func turn(waiting: Bool) {
    prepare()
    if waiting, answers.isEmpty, !links.isEmpty || !resting.isEmpty {
      client.surroundings.wait(for: links.map(\.channel), until: nextCheck)
    }
    conclude(links)
  }

  /// Sends what is due.
  func prepare() {
    wakeRested()
    for link in links where link.hasGathered { send(link) }
    links.removeAll { $0.failure != nil || !$0.isBusy }
  }

  /// Takes in what arrived on some of the links, and gives up what is too late.
  func conclude(_ ready: [Link]) {
    for link in ready { receive(link) }
    judgeAnswers()
    if client.surroundings.now >= nextCheck { checkTimes() }
  }

  private func wakeRested() {
    let now = client.surroundings.now
    let due = resting.filter { $0.isDue(now) }
    guard !due.isEmpty else { return }
    resting.removeAll { $0.isDue(now) }
    for request in due {
      if case .resting(_, let address) = request.stage { ask(request, at: address) }
    }
  }

  private func receive(_ link: Link) {
    do throws(ChannelFailure) {
      while try link.receive(until: 0) { link.lastHeard = client.surroundings.now }
    } catch {
      fail(link, error)
    }
  }

  private func send(_ link: Link) {
    do throws(ChannelFailure) {
      try link.flush(until: client.surroundings.now + client.answerTime(until: client.deadline))
    } catch {
      fail(link, error)
    }
  }

  /// Everything that was under way on a link has to go elsewhere.
  private func fail(_ link: Link, _ failure: ChannelFailure) {
    client.drop(link)
    // Answers that came before the link broke count.
    judgeAnswers()
    let outcome = Client.outcome(of: failure, on: link)
    let open = asked.filter { $0.value.isAsked(on: link) }.sorted { $0.key < $1.key }
    for (number, request) in open where asked.removeValue(forKey: number) != nil {
      judge(request, outcome, at: link.address)
    }
  }

  private func judgeAnswers() {
    while !answers.isEmpty {
      let batch = answers
      answers = []
      for (number, body) in batch {
        guard let request = asked.removeValue(forKey: number), case .asked(let link, _, _) = request.stage else {
          continue
        }
        judge(request, .answered(body), at: link.address)
      }
    }
  }

  private func judge(_ request: PendingRequest, _ outcome: Outcome, at address: String) {
    var outcome = outcome
    var answer: Answer?
    if case .answered(let body) = outcome, !body.isFailure {
      answer = request.answer(in: body)
      if answer == nil { outcome = .lost("sent an answer that doesn't fit the request") }
    }
    request.hint = nil
    switch request.attempts.record(outcome, at: address) {
    case .done:
      settle(request, answer.map { .success($0) } ?? .failure(.internal("an answer was taken for a success")))
    case .again(let leader):
      client.mapExpires = 0
      request.hint = leader.flatMap { client.knownMap?.address(of: $0) }
      advance(request)
    case .without:
      request.route.exclude(address)
      advance(request)
    case .failed(let error): settle(request, .failure(error))
    }
  }

  private func settle(_ request: PendingRequest, _ result: Result<Answer, ClientError>) {
    bytes -= request.bytes
    if let id = request.id {
      positions.remove(Position(of: request.key))
      var isKnown = true
      if case .failure(let error) = result { isKnown = !error.isUnknown }
      client.session.settle(id, isKnown: isKnown)
    }
    outcome(request.index, result)
  }

  /// Sends a request to its next stop, or lets it rest first, or gives it up.
  private func advance(_ request: PendingRequest) {
    let preferred = request.hint ?? client.leaderAddress(of: request.key)
    guard let stop = request.route.next(preferred: preferred, candidates: client.candidates) else {
      return settle(request, .failure(request.attempts.exhausted()))
    }
    let now = client.surroundings.now
    guard now + stop.rest < request.deadline else {
      return settle(request, .failure(request.attempts.expired(after: client.timeout)))
    }
    guard stop.rest > 0 else { return ask(request, at: stop.address) }
    request.stage = .resting(until: now + stop.rest, address: stop.address)
    nextCheck = min(nextCheck, now + stop.rest)
    resting.append(request)
  }

  private func ask(_ pending: PendingRequest, at address: String) {
    let link: Link
    do throws(ChannelFailure) {
      link = try client.link(to: address, until: pending.deadline)
    } catch {
      return judge(pending, .unsent(error), at: address)
    }
    let now = client.surroundings.now
    let time = client.answerTime(until: pending.deadline)
    let request = client.request(pending.body, time: time)
    // The first request on a link that rests is sent at once; later ones are gathered while it is under way.
    let isFirst = !link.isBusy
    pending.stage = .asked(link, since: now, patience: time)
    nextCheck = min(nextCheck, now + time)
    asked[request.id] = pending
    link.gather(request) { [weak self] request, body in self?.answers.append((request, body)) }
    if !links.contains(where: { $0 === link }) { links.append(link) }
    client.gatherMapAside(on: link)
    if isFirst || link.gatheredBytes >= ClientLimits.gatheredBytes { send(link) }
  }

  /// Gives up links that have been silent for too long. One that answers others lives, and works on a queue.
  private func checkTimes() {
    let now = client.surroundings.now
    nextCheck = .max
    var silent: [Link] = []
    var late: [(UInt64, PendingRequest, Link)] = []
    for (number, request) in asked {
      guard case .asked(let link, let since, let patience) = request.stage else { continue }
      let end = min(max(since, link.lastHeard) + patience, request.deadline)
      if now < end {
        nextCheck = min(nextCheck, end)
      } else if now >= max(since, link.lastHeard) + patience {
        if !silent.contains(where: { $0 === link }) { silent.append(link) }
      } else {
        late.append((number, request, link))
      }
    }
    for request in resting {
      if case .resting(let end, _) = request.stage { nextCheck = min(nextCheck, end) }
    }
    for link in silent { fail(link, ChannelFailure(kind: .broken, words: "gave no answer in time")) }
    for (number, request, link) in late where asked.removeValue(forKey: number) != nil {
      link.forget(number)
      judge(request, .lost("gave no answer in time"), at: link.address)
    }
  }
}

extension PendingRequest {
  fileprivate func isDue(_ now: UInt64) -> Bool {
    if case .resting(let end, _) = stage { now >= end } else { false }
  }

  fileprivate func isAsked(on link: Link) -> Bool {
    if case .asked(let own, _, _) = stage { own === link } else { false }
  }
}
