import Bytes
import Wire

/// A client of one cluster. It blocks, and one thread at a time may use it; many may exist.
///
/// Every call finds the node that can do the work, and tries others until its time is over. Errors name each peer
/// that was tried and why it failed.
public final class Client {
  let file: ClusterFile
  /// How long a call may take, in milliseconds.
  let timeout: Int
  let surroundings: any Surroundings
  let state: StateDirectory?
  /// Whether the nodes may be asked for the map.
  let usesMap: Bool
  var session: Session
  var links: [String: Link] = [:]
  var knownMap: ClusterMap?
  /// The moment from which the map is asked for again with the next request.
  var mapExpires: UInt64 = 0
  /// Whether the map came from a node, not from the state directory.
  var isMapFresh = false
  /// Whether a request was ever sent.
  var hasAsked = false
  private var lastRequest: UInt64 = 0

  /// A client of the cluster of a file. Does no I/O.
  /// - Parameters:
  ///   - timeoutMilliseconds: how long each call may take.
  ///   - stateDirectory: where the map and TLS sessions are kept between runs; nil: nowhere.
  public convenience init(_ file: ClusterFile, timeoutMilliseconds: Int = 5000, stateDirectory: String? = nil) {
    let state = stateDirectory.map { StateDirectory($0) }
    let surroundings = SystemSurroundings(.client(file), state: state)
    self.init(file, timeout: timeoutMilliseconds, state: state, surroundings: surroundings)
  }

  init(
    _ file: ClusterFile, timeout: Int, state: StateDirectory?, surroundings: any Surroundings, usesMap: Bool = true
  ) {
    self.file = file
    self.timeout = timeout
    self.state = state
    self.surroundings = surroundings
    self.usesMap = usesMap
    session = Session(surroundings)
  }

  /// When a call that begins now has to end.
  var deadline: UInt64 { surroundings.now + UInt64(max(0, timeout)) }

  /// A number for a request that no other request of this client has.
  func takeRequestNumber() -> UInt64 {
    lastRequest += 1
    return lastRequest
  }

  /// The address of the leader of a key's partition, as far as is known.
  func leaderAddress(of key: Key) -> String? {
    loadMap()
    return knownMap.flatMap { map in map.leader(of: key).flatMap { map.address(of: $0) } }
  }

  /// Every address that might be of use, those with a connection first.
  func candidates() -> [String] {
    var seen: Set<String> = []
    let known = (knownMap?.allAddresses ?? []) + file.addresses
    let usable = known.filter { links[$0] != nil }
    return (usable + known).filter { seen.insert($0).inserted }
  }

  /// The connection to a node, made if there is none.
  func link(to address: String, until deadline: UInt64) throws(ChannelFailure) -> Link {
    if let link = links[address] {
      if link.isUsable(at: surroundings.now) { return link }
      drop(link)
    }
    let now = surroundings.now
    let left = deadline > now ? deadline - now : 0
    let allowed = min(left, max(ClientLimits.connectTime, left / 4))
    let channel = try surroundings.connect(to: address, until: now + allowed)
    let link = Link(channel, address: address)
    links[address] = link
    return link
  }

  /// Closes a connection: it broke, or its node did not answer in time.
  func drop(_ link: Link) {
    link.abandon()
    if links[link.address] === link { links[link.address] = nil }
    // The node may have moved, or lead no more.
    mapExpires = 0
  }

  /// How long one attempt waits for its answer: half of what is left, so that another node can be asked.
  func answerTime(until deadline: UInt64) -> UInt64 { answerTime(until: deadline, from: surroundings.now) }

  /// The same, where the moment is known already.
  func answerTime(until deadline: UInt64, from now: UInt64) -> UInt64 {
    let left = deadline > now ? deadline - now : 0
    return min(left, max(ClientLimits.answerTime, left / 2))
  }

  /// Whether no time is left to go to a stop.
  func isTooLate(for stop: Route.Stop, _ attempts: Attempts, at now: UInt64, until deadline: UInt64) -> Bool {
    let isRepeated = stop.rest > 0 && attempts.hasRefusal
    let least = isRepeated ? min(ClientLimits.lastAnswerTime, UInt64(max(0, timeout)) / 3) : 0
    return now + stop.rest + least >= deadline
  }

  /// A request with a number of its own. The node is told a little less than the time that it has, so that its own
  /// answer comes before the client gives up.
  func request(_ body: WireRequest.OneOf_Body, time: UInt64) -> WireRequest {
    var request = WireRequest()
    request.id = takeRequestNumber()
    request.timeoutMs = UInt32(clamping: time - time / 10)
    request.body = body
    return request
  }
}
