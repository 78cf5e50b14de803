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
    /// What a read found, nil where the key has no value; and how fresh that is where it need not be the latest.
    case found(Found?, Freshness?)
  }

  /// Takes the outcome of a request: its place in the order of adding, from 0, and what it brought. It must not call
  /// the pipeline.
  public typealias OutcomeHandler = (_ index: Int, _ outcome: Result<Answer, ClientError>) -> Void

  let client: Client
  private let window: Int
  let outcome: OutcomeHandler
  private var count = 0
  /// Requests under way, by the number that was sent last for each.
  var asked: [UInt64: PendingRequest] = [:]
  var resting: [PendingRequest] = []
  /// The positions of the keys of writes. Keys that share one wait for each other, which does no harm.
  var positions: Set<Position> = []
  var bytes = 0
  var links: [Link] = []
  let arrived = AnswerBox()
  /// No request's time is over before this moment.
  var nextCheck = UInt64.max
  /// Where the pipeline leaves word that it has something to do, if somebody drives it along with others.
  var agenda: PipelineGroup.Agenda?
  /// Whether word was left.
  var isOnAgenda = false

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
        index: count, key: key, id: id, body: .write(write),
        attempts: Attempts(tombstone ? "delete" : "put", write: id), bytes: key.bytes.count + value.count,
        deadline: client.deadline))
    return count
  }

  /// Adds a read of a key; waits while the window is full. Gives its place in the order of adding, from 0. What every
  /// replica may answer is asked of all that hold the key, in turn.
  /// - Parameters:
  ///   - version: the version to read at; nil: the latest.
  ///   - consistency: what the latest is.
  @discardableResult
  public func get(_ key: Key, at version: Version? = nil, consistency: Consistency = .strong) -> Int {
    defer { count += 1 }
    do throws(ClientError) {
      try Client.check(key)
    } catch {
      outcome(count, .failure(error))
      return count
    }
    makeRoom(for: key.bytes.count, at: nil)
    let request = PendingRequest(
      index: count, key: key, id: nil, body: .get(WireGetRequest(key, at: version, consistency)),
      attempts: Attempts("get"), bytes: key.bytes.count, deadline: client.deadline)
    if version != nil || consistency != .strong {
      let holders = client.holders(of: key)
      if !holders.isEmpty { request.hint = holders[count % holders.count] }
    }
    begin(request)
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
    agenda?.note(self)
  }

  private var underWay: Int { asked.count + resting.count }

  /// Many requests will follow: a map is worth its round trip. Without one they go anywhere.
  private func findLeaders() {
    client.loadMap()
    guard client.knownMap == nil else { return }
    _ = try? client.freshMap(until: client.surroundings.now + client.answerTime(until: client.deadline))
  }

  /// One turn: sends what is due, takes in what arrived, gives up what is too late.
  private func turn(waiting: Bool) {
    prepare()
    if waiting, arrived.answers.isEmpty, !links.isEmpty || !resting.isEmpty {
      client.surroundings.wait(for: links.map(\.channel), until: nextCheck)
    }
    conclude(links)
  }
}
