import Bytes
import Wire

@testable import Client

/// Virtual time and a network of scripted nodes: nothing waits for real, and every run is the same.
final class FakeWorld: Surroundings {
  private(set) var now: UInt64 = 1000
  var nodes: [String: FakeNode] = [:]
  /// Every address to which a connection was tried, in order.
  private(set) var dials: [String] = []
  private var timers: [(at: UInt64, run: () -> Void)] = []
  /// How long anything takes on the network.
  var latency: UInt64 = 1

  var wallMilliseconds: UInt64 { 1_700_000_000_000 + now }

  func after(_ milliseconds: UInt64, _ run: @escaping () -> Void) {
    timers.append((now + milliseconds, run))
  }

  func advance(to moment: UInt64) {
    while let next = timers.indices.min(by: { timers[$0].at < timers[$1].at }), timers[next].at <= moment {
      let timer = timers.remove(at: next)
      now = max(now, timer.at)
      timer.run()
    }
    now = max(now, moment)
  }

  /// Lets everything happen that is still to come.
  func drain() {
    while let last = timers.map(\.at).max() { advance(to: last) }
  }

  func sleep(milliseconds: UInt64) { advance(to: now + milliseconds) }

  func connect(to address: String, until deadline: UInt64) throws(ChannelFailure) -> any Channel {
    dials.append(address)
    advance(to: min(now + latency, max(now, deadline)))
    guard let target = nodes[address] else {
      throw ChannelFailure(kind: .broken, words: "refuses connections")
    }
    if let failure = target.refusal { throw failure }
    if target.isBlackHole {
      advance(to: max(now, deadline))
      throw ChannelFailure(kind: .broken, words: "connecting took too long")
    }
    return FakeChannel(self, target)
  }

  func wait(for channels: [any Channel], until deadline: UInt64) -> [Int] {
    let fakes = channels.map { $0 as? FakeChannel }
    step(until: deadline) { fakes.contains { $0?.hasNews == true } }
    return fakes.indices.filter { fakes[$0]?.hasNews == true }
  }

  func makeWaitSet() -> any WaitSet { FakeWaitSet(self) }

  /// Moves time on from event to event until something is so, or the deadline.
  func step(until deadline: UInt64, _ isSo: () -> Bool) {
    while !isSo(), now < deadline {
      let next = timers.map(\.at).min() ?? deadline
      advance(to: min(max(next, now), deadline))
    }
  }
}

/// The channels of a world, waited for together.
final class FakeWaitSet: WaitSet {
  private let world: FakeWorld
  private var channels: [Int: FakeChannel] = [:]

  init(_ world: FakeWorld) { self.world = world }

  func add(_ channel: any Channel, number: Int) { channels[number] = channel as? FakeChannel }

  func wait(until deadline: UInt64) -> [Int] {
    channels = channels.filter { !$0.value.isClosed }
    world.step(until: deadline) { channels.values.contains { $0.hasNews } }
    return channels.filter { $0.value.hasNews }.keys.sorted()
  }
}

/// One node: answers each request as its handler says.
final class FakeNode {
  enum Reply {
    case answer(WireResponse.OneOf_Body)
    case answerAfter(UInt64, WireResponse.OneOf_Body)
    /// No answer, ever.
    case silence
    /// The connection ends.
    case hangUp
    /// The connection ends with a failure of TLS.
    case fail(ChannelFailure)
    /// Bytes as they are.
    case raw([UInt8])
  }

  let address: String
  var handler: (WireRequest) -> Reply
  /// Set: connections fail so.
  var refusal: ChannelFailure?
  /// Connections are never answered.
  var isBlackHole = false
  var isBrokenOnSend = false
  private(set) var requests: [WireRequest] = []
  fileprivate var channels: [FakeChannel] = []

  init(_ address: String, _ handler: @escaping (WireRequest) -> Reply) {
    self.address = address
    self.handler = handler
  }

  /// Ends every connection, as a dying process does.
  func cutConnections() {
    for channel in channels { channel.end(ChannelFailure(kind: .broken, words: "the connection broke")) }
    channels = []
  }

  fileprivate func take(_ request: WireRequest) -> Reply {
    requests.append(request)
    return handler(request)
  }
}

final class FakeChannel: Channel {
  private let world: FakeWorld
  private let node: FakeNode
  private var inbox: [UInt8] = []
  private var failure: ChannelFailure?
  private var unread: [UInt8] = []

  init(_ world: FakeWorld, _ node: FakeNode) {
    self.world = world
    self.node = node
    node.channels.append(self)
  }

  var isOpen: Bool { failure == nil }
  var hasNews: Bool { !inbox.isEmpty || failure != nil }

  private(set) var isClosed = false

  func close() {
    isClosed = true
    end(ChannelFailure(kind: .broken, words: "was closed by the client"))
  }

  func end(_ failure: ChannelFailure) { self.failure = self.failure ?? failure }

  func send(_ bytes: [UInt8], until deadline: UInt64) throws(ChannelFailure) {
    if let failure { throw failure }
    if node.isBrokenOnSend {
      end(ChannelFailure(kind: .broken, words: "broke while sending"))
      throw ChannelFailure(kind: .broken, words: "broke while sending")
    }
    unread += bytes
    while unread.count >= FrameHeader.encodedBytes {
      var reader = ByteReader(unread)
      guard let header = try? FrameHeader(from: &reader), reader.remaining >= header.payloadBytes,
        let payload = try? reader.bytes(header.payloadBytes), let request = WireRequest(untrusted: payload)
      else { return }
      unread.removeFirst(reader.offset)
      react(node.take(request), to: request)
    }
  }

  private func react(_ reply: FakeNode.Reply, to request: WireRequest) {
    switch reply {
    case .answer(let body): deliver(body, to: request, after: world.latency)
    case .answerAfter(let delay, let body): deliver(body, to: request, after: delay)
    case .silence: break
    case .hangUp:
      world.after(world.latency) { self.end(ChannelFailure(kind: .broken, words: "the connection broke")) }
    case .fail(let failure): world.after(world.latency) { self.end(failure) }
    case .raw(let bytes): world.after(world.latency) { self.inbox += bytes }
    }
  }

  private func deliver(_ body: WireResponse.OneOf_Body, to request: WireRequest, after delay: UInt64) {
    var response = WireResponse()
    response.id = request.id
    response.body = body
    let payload = response.encoded
    world.after(delay) {
      // What was sent before the end arrives; what would have been sent later does not.
      guard self.failure == nil else { return }
      Frames.append(payload, kind: .response, to: &self.inbox)
    }
  }

  func receive(into frames: inout FrameReader, until deadline: UInt64) throws(ChannelFailure) -> Bool {
    world.step(until: deadline) { hasNews }
    if !inbox.isEmpty {
      inbox.withUnsafeBytes { frames.append($0) }
      inbox = []
      return true
    }
    if let failure { throw failure }
    return false
  }
}
