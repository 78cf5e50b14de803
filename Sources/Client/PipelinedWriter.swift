public import Bytes
import FoundationEssentials
import HashRing
import Wire

/// Writes many records: up to a window of them are under way at once, over the connections to all leaders.
///
/// Every write has an outcome of its own, given to the closure in any order. Two writes of one key are never under
/// way together, so that the later one lasts. Records are gathered before they are sent: whoever waits for more input
/// calls `flush` first.
public final class PipelinedWriter {
  /// Takes the outcome of a write: its place in the order of adding, from 0, and its version. A deletion that found no
  /// value has version 0. It must not call the writer.
  public typealias OutcomeHandler = (_ index: Int, _ outcome: Result<Version, ClientError>) -> Void

  let client: Client
  private let window: Int
  private let outcome: OutcomeHandler
  private var count = 0
  /// Writes under way, by the number of the request that was sent last for each.
  private var asked: [UInt64: PendingWrite] = [:]
  private var resting: [PendingWrite] = []
  /// The positions of their keys. Keys that share one wait for each other, which does no harm.
  private var positions: Set<Position> = []
  private var bytes = 0
  private var links: [Link] = []
  private var answers: [(request: UInt64, body: WireResponse.OneOf_Body)] = []
  /// No write's time is over before this moment.
  private var nextCheck = UInt64.max

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
    if count == 0 { findLeaders() }
    let position = Position(of: key)
    let size = key.bytes.count + value.count
    while underWay >= window || positions.contains(position)
      || bytes > 0 && bytes + size > ClientLimits.writerBytes.rawValue
    {
      turn(waiting: true)
    }
    var write = WireWriteRequest()
    write.key = Data(key.bytes)
    write.value = Data(tombstone ? [] : value)
    write.tombstone = tombstone
    write.set(condition)
    let (id, acknowledged) = client.session.take()
    write.name(id, acknowledged: acknowledged)
    positions.insert(position)
    bytes += size
    advance(
      PendingWrite(index: count, key: key, id: id, write: write, bytes: size, deadline: client.deadline))
    return count
  }

  /// Sends what was gathered and takes in the answers that are there, without waiting for more.
  public func flush() {
    turn(waiting: false)
  }

  /// Waits until every write has its outcome.
  public func finish() {
    while underWay > 0 { turn(waiting: true) }
  }

  private var underWay: Int { asked.count + resting.count }
}

extension PipelinedWriter {
  /// Many writes will follow: a map is worth its round trip. Without one they go anywhere.
  private func findLeaders() {
    client.loadMap()
    guard client.knownMap == nil else { return }
    _ = try? client.freshMap(until: client.surroundings.now + client.answerTime(until: client.deadline))
  }

  /// One turn: sends what is due, takes in what arrived, gives up what is too late.
  private func turn(waiting: Bool) {
    wakeRested()
    for link in links where link.hasGathered { send(link) }
    links.removeAll { $0.failure != nil || !$0.isBusy }
    if waiting, answers.isEmpty, !links.isEmpty || !resting.isEmpty {
      client.surroundings.wait(for: links.map(\.channel), until: nextCheck)
    }
    for link in links { receive(link) }
    judgeAnswers()
    if client.surroundings.now >= nextCheck { checkTimes() }
  }

  private func wakeRested() {
    let now = client.surroundings.now
    let due = resting.filter { $0.isDue(now) }
    guard !due.isEmpty else { return }
    resting.removeAll { $0.isDue(now) }
    for write in due {
      if case .resting(_, let address) = write.stage { ask(write, at: address) }
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
    for (request, write) in open where asked.removeValue(forKey: request) != nil {
      judge(write, outcome, at: link.address)
    }
  }

  private func judgeAnswers() {
    while !answers.isEmpty {
      let batch = answers
      answers = []
      for (request, body) in batch {
        guard let write = asked.removeValue(forKey: request), case .asked(let link, _, _) = write.stage else {
          continue
        }
        judge(write, .answered(body), at: link.address)
      }
    }
  }

  private func judge(_ write: PendingWrite, _ outcome: Outcome, at address: String) {
    var outcome = outcome
    var version: Version?
    if case .answered(let body) = outcome, !body.isFailure {
      version = write.version(in: body)
      if version == nil { outcome = .lost("sent an answer that doesn't fit the request") }
    }
    write.hint = nil
    switch write.attempts.record(outcome, at: address) {
    case .done:
      settle(write, version.map { .success($0) } ?? .failure(.internal("an answer was taken for a success")))
    case .again(let leader):
      client.mapExpires = 0
      write.hint = leader.flatMap { client.knownMap?.address(of: $0) }
      advance(write)
    case .without:
      write.route.exclude(address)
      advance(write)
    case .failed(let error): settle(write, .failure(error))
    }
  }

  private func settle(_ write: PendingWrite, _ result: Result<Version, ClientError>) {
    positions.remove(Position(of: write.key))
    bytes -= write.bytes
    var isKnown = true
    if case .failure(let error) = result { isKnown = !error.isUnknown }
    client.session.settle(write.id, isKnown: isKnown)
    outcome(write.index, result)
  }

  /// Sends a write to its next stop, or lets it rest first, or gives it up.
  private func advance(_ write: PendingWrite) {
    let preferred = write.hint ?? client.leaderAddress(of: write.key)
    guard let stop = write.route.next(preferred: preferred, candidates: client.candidates) else {
      return settle(write, .failure(write.attempts.exhausted()))
    }
    let now = client.surroundings.now
    guard now + stop.rest < write.deadline else {
      return settle(write, .failure(write.attempts.expired(after: client.timeout)))
    }
    guard stop.rest > 0 else { return ask(write, at: stop.address) }
    write.stage = .resting(until: now + stop.rest, address: stop.address)
    nextCheck = min(nextCheck, now + stop.rest)
    resting.append(write)
  }

  private func ask(_ write: PendingWrite, at address: String) {
    let link: Link
    do throws(ChannelFailure) {
      link = try client.link(to: address, until: write.deadline)
    } catch {
      return judge(write, .unsent(error), at: address)
    }
    let now = client.surroundings.now
    let time = client.answerTime(until: write.deadline)
    let request = client.request(write.body, time: time)
    // The first request on a link that rests is sent at once; later ones are gathered while it is under way.
    let isFirst = !link.isBusy
    write.stage = .asked(link, since: now, patience: time)
    nextCheck = min(nextCheck, now + time)
    asked[request.id] = write
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
    var late: [(UInt64, PendingWrite, Link)] = []
    for (request, write) in asked {
      guard case .asked(let link, let since, let patience) = write.stage else { continue }
      let end = min(max(since, link.lastHeard) + patience, write.deadline)
      if now < end {
        nextCheck = min(nextCheck, end)
      } else if now >= max(since, link.lastHeard) + patience {
        if !silent.contains(where: { $0 === link }) { silent.append(link) }
      } else {
        late.append((request, write, link))
      }
    }
    for write in resting {
      if case .resting(let end, _) = write.stage { nextCheck = min(nextCheck, end) }
    }
    for link in silent { fail(link, ChannelFailure(kind: .broken, words: "gave no answer in time")) }
    for (request, write, link) in late where asked.removeValue(forKey: request) != nil {
      link.forget(request)
      judge(write, .lost("gave no answer in time"), at: link.address)
    }
  }
}

extension PendingWrite {
  fileprivate func isDue(_ now: UInt64) -> Bool {
    if case .resting(let end, _) = stage { now >= end } else { false }
  }

  fileprivate func isAsked(on link: Link) -> Bool {
    if case .asked(let own, _, _) = stage { own === link } else { false }
  }
}
