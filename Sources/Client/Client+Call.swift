import Bytes
import Wire

extension Client {
  /// Carries out one request, at whatever node can.
  /// - Parameters:
  ///   - end: when to give up; nil: after the client's time.
  ///   - preferred: the address to begin at, asked for anew before each attempt.
  ///   - read: what the answer must be; nil for a body that doesn't fit the request.
  func call<Answer>(
    _ body: WireRequest.OneOf_Body, _ attempts: Attempts, until end: UInt64? = nil, preferred: () -> String? = { nil },
    _ read: (WireResponse.OneOf_Body) -> Answer?
  ) throws(ClientError) -> Answer {
    // It may know members that the cluster file doesn't.
    loadMap()
    var (body, attempts) = (body, attempts)
    var route = Route()
    var hint: String?
    let deadline = end ?? self.deadline
    while true {
      guard let stop = route.next(preferred: hint ?? preferred(), candidates: candidates) else {
        throw attempts.exhausted()
      }
      if stop.isAgain, attempts.isTurnedAway { throw attempts.exhausted() }
      guard !isTooLate(for: stop, attempts, at: surroundings.now, until: deadline) else {
        throw attempts.expired(after: timeout)
      }
      if stop.rest > 0 { surroundings.sleep(milliseconds: stop.rest) }
      if attempts.mustSettle { body.mustSettle() }
      var answer: Answer?
      var outcome = attempt(body, at: stop.address, until: deadline)
      if case .answered(let body) = outcome, !body.isFailure {
        answer = read(body)
        if answer == nil { outcome = .lost("sent an answer that doesn't fit the request") }
      }
      hint = nil
      switch attempts.record(outcome, at: stop.address) {
      case .done:
        if let answer { return answer }
        throw .internal("\(attempts.what): an answer was taken for a success")
      case .again(let leader):
        mapExpires = 0
        hint = leader.flatMap { knownMap?.address(of: $0) }
      case .without: route.exclude(stop.address)
      case .failed(let error): throw error
      }
    }
  }

  private func attempt(_ body: WireRequest.OneOf_Body, at address: String, until deadline: UInt64) -> Outcome {
    let link: Link
    do throws(ChannelFailure) {
      link = try self.link(to: address, until: deadline)
    } catch {
      return .unsent(error)
    }
    let time = answerTime(until: deadline)
    let end = surroundings.now + time
    let request = request(body, time: time)
    do throws(ChannelFailure) {
      link.gather(request)
      let map = gatherMap(on: link, for: body)
      try link.flush(until: end)
      guard let answer = try link.answer(to: request.id, until: end) else {
        drop(link)
        return .lost("gave no answer within \(time) ms")
      }
      link.lastHeard = surroundings.now
      if let map { takeMap(map, from: link) }
      return .answered(answer)
    } catch {
      drop(link)
      return Client.outcome(of: error, on: link)
    }
  }

  /// What became of a request on a link that failed. A node that refuses our certificate says so after its own part
  /// of the handshake, in place of the first answer: it has read nothing then (RFC 8446 §4.4.2.4).
  static func outcome(of failure: ChannelFailure, on link: Link) -> Outcome {
    failure.kind == .refused && !link.hasAnswered ? .unsent(failure) : .lost(failure.words)
  }
}

extension WireResponse.OneOf_Body {
  /// Whether it says that nothing came of the request; not that a batch is to be made anew, which its maker settles.
  var isFailure: Bool {
    if case .failure(let failure) = self { failure.code != .spansPartitions } else { false }
  }
}
