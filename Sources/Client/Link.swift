import Bytes
import Wire

/// Answers that nobody waits for by name, in the order of their arrival.
final class AnswerBox {
  var answers: [(request: UInt64, body: WireResponse.OneOf_Body)] = []
}

/// One connection to a node: many requests may be under way on it, each answered once, in any order.
///
/// After a failure the link is of no use any more; the failure is thrown at everyone who waits on it.
final class Link {
  /// Where the node is: `HOST:PORT`.
  let address: String
  let channel: any Channel
  /// Whether an answer ever came. Before that, a refusal of our certificate means that nothing was read.
  private(set) var hasAnswered = false
  /// When an answer last came: since then the node is silent, or the link rests.
  var lastHeard: UInt64 = 0
  /// Its number in the set of whoever waits for it along with others.
  var number: Int?
  /// Why the link can't be used any more.
  private(set) var failure: ChannelFailure?
  private var outbox: [UInt8] = []
  private var frames = FrameReader()
  private var waiting: [UInt64: Expectation] = [:]
  private var arrived: [UInt64: WireResponse.OneOf_Body] = [:]

  private enum Expectation {
    case kept
    case gathered(AnswerBox)
    /// Its requester has gone: the answer is dropped.
    case forgotten
  }

  init(_ channel: any Channel, address: String) {
    self.channel = channel
    self.address = address
  }

  /// Whether the link may be used for another request, as far as can be told without sending. A link that has rested
  /// is looked at first: a request on one that the node has closed meanwhile would be lost, a write's outcome unknown.
  func isUsable(at now: UInt64) -> Bool {
    failure == nil && (isBusy || now < lastHeard + ClientLimits.restedAfter || channel.isOpen)
  }

  /// Whether requests wait to be sent.
  var hasGathered: Bool { !outbox.isEmpty }

  /// The number of bytes that wait to be sent.
  var gatheredBytes: Int { outbox.count }

  /// Whether requests were sent or gathered that have no answer yet.
  var isBusy: Bool { !waiting.isEmpty }

  /// Whether something was received that `receive` gives without asking the kernel.
  var hasNews: Bool { channel.hasNews }

  /// Adds a request to what is sent next. Its id is unique on the link. The answer goes into the box, or waits for
  /// `answer`.
  func gather(_ request: WireRequest, into box: AnswerBox? = nil) {
    waiting[request.id] = box.map { .gathered($0) } ?? .kept
    Frames.append(request.encoded, kind: .request, to: &outbox)
  }

  /// Sends what was gathered.
  func flush(until deadline: UInt64) throws(ChannelFailure) {
    guard !outbox.isEmpty else { return }
    try guarded { () throws(ChannelFailure) in try channel.send(outbox, until: deadline) }
    outbox.removeAll(keepingCapacity: true)
  }

  /// The answer to a request; nil where none comes by the deadline.
  func answer(to id: UInt64, until deadline: UInt64) throws(ChannelFailure) -> WireResponse.OneOf_Body? {
    while true {
      if let answer = arrived.removeValue(forKey: id) { return answer }
      guard try receive(until: deadline) else { return nil }
    }
  }

  /// Nobody will ask for this answer any more.
  func forget(_ id: UInt64) {
    if arrived.removeValue(forKey: id) == nil, waiting[id] != nil { waiting[id] = .forgotten }
  }

  /// Takes in what arrives by the deadline, once; false where nothing does.
  @discardableResult
  func receive(until deadline: UInt64) throws(ChannelFailure) -> Bool {
    try guarded { () throws(ChannelFailure) in
      guard try channel.receive(into: &frames, until: deadline) else { return false }
      while try frames.next({ (payload) throws(ChannelFailure) in try accept(payload) }) {}
      return true
    }
  }

  /// Closes the connection; whoever still waits on the link has to go elsewhere.
  func abandon() {
    failure = failure ?? ChannelFailure(kind: .broken, words: "was given up")
    channel.close()
  }

  /// SAFETY: the payload is lent by `frames` for the call; the decoded response holds copies.
  private func accept(_ payload: UnsafeRawBufferPointer) throws(ChannelFailure) {
    guard let response = WireResponse(untrusted: payload) else {
      throw ChannelFailure(kind: .broken, words: "sent a response that can't be read")
    }
    guard let expectation = waiting.removeValue(forKey: response.id), let body = response.body else {
      throw ChannelFailure(kind: .broken, words: "sent a response to request \(response.id), which wasn't asked")
    }
    hasAnswered = true
    switch expectation {
    case .kept: arrived[response.id] = body
    case .gathered(let box): box.answers.append((response.id, body))
    case .forgotten: break
    }
  }

  private func guarded<Value>(_ body: () throws(ChannelFailure) -> Value) throws(ChannelFailure) -> Value {
    if let failure { throw failure }
    do throws(ChannelFailure) {
      return try body()
    } catch {
      failure = error
      throw error
    }
  }
}
