import Bytes
import HashRing
import Wire

// A turn: what is due goes out, what came in is judged, what is too late is given up.
extension Pipeline {
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
    agenda?.note(self)
  }

  private func wakeRested() {
    guard !resting.isEmpty else { return }
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
      repeat {
        guard try link.receive(until: 0) else { break }
        link.lastHeard = client.surroundings.now
      } while link.hasNews
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
  func fail(_ link: Link, _ failure: ChannelFailure) {
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
    while !arrived.answers.isEmpty {
      let batch = arrived.answers
      arrived.answers = []
      for (number, body) in batch {
        guard let request = asked.removeValue(forKey: number), case .asked(let link, _, _) = request.stage else {
          client.takeMap(body)
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
    let before = client.surroundings.now
    outcome(request.index, result)
    postpone(by: client.surroundings.now - before)
  }

  /// Whoever takes outcomes may wait for others, such as a full pipe: that time is not the cluster's.
  private func postpone(by held: UInt64) {
    guard held >= ClientLimits.heldOutcome else { return }
    for request in asked.values { request.postpone(by: held) }
    for request in resting { request.postpone(by: held) }
    for link in links { link.lastHeard += held }
    nextCheck += min(held, .max - nextCheck)
  }

  /// Sends a request to its next stop, or lets it rest first, or gives it up.
  func advance(_ request: PendingRequest) {
    let preferred = request.hint ?? client.leaderAddress(of: request.key)
    guard let stop = request.route.next(preferred: preferred, candidates: client.candidates) else {
      return settle(request, .failure(request.attempts.exhausted()))
    }
    if stop.isAgain, request.attempts.isTurnedAway { return settle(request, .failure(request.attempts.exhausted())) }
    let now = client.surroundings.now
    guard !client.isTooLate(for: stop, request.attempts, at: now, until: request.deadline) else {
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
    let time = client.answerTime(until: pending.deadline, from: now)
    if pending.attempts.mustSettle { pending.body.mustSettle() }
    let request = client.request(pending.body, time: time)
    // The first request on a link that rests is sent at once; later ones are gathered while it is under way.
    let isFirst = !link.isBusy
    pending.stage = .asked(link, since: now, patience: time)
    nextCheck = min(nextCheck, now + time)
    asked[request.id] = pending
    link.gather(request, into: arrived)
    if !links.contains(where: { $0 === link }) { links.append(link) }
    client.gatherMapAside(on: link, now: now, into: arrived)
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
