import Bytes
import Environment
import Raft
import Wire

/// What the leader of a partition was told by clients and the log doesn't hold yet: up to which of its writes each of
/// them has heard.
struct Acknowledgements {
  private var through: [SessionID: UInt64] = [:]
  private var dueAt = Moment(rawValue: 0)

  var isEmpty: Bool { through.isEmpty }

  /// Notes what a client tells. Beyond a bound it is let go: the outcomes are forgotten in an hour anyway.
  mutating func note(_ session: SessionID, through sequence: UInt64, now: Moment) {
    guard through.count < Limits.acknowledgedSessions || through[session] != nil else { return }
    if isEmpty { dueAt = now.advanced(milliseconds: Limits.acknowledgementMilliseconds) }
    through[session] = max(sequence, through[session] ?? 0)
  }

  /// Takes all out once the first has waited long enough for others.
  mutating func takeDue(_ now: Moment) -> AcknowledgementCommand? {
    guard !isEmpty, now >= dueAt else { return nil }
    defer { clear() }
    return AcknowledgementCommand(
      sessions: through.sorted { $0.key < $1.key }.map { .init(id: $0.key, through: $0.value) })
  }

  mutating func clear() { through = [:] }
}

extension Node {
  /// A client has heard of all its writes up to one. What this node doesn't lead forgets them in an hour.
  func serve(_ request: WireAcknowledgeRequest, reply: Reply) {
    guard let session = SessionID(request.session) else {
      return reply(WireFailure.because(.invalid, "a session has 16 bytes"))
    }
    for partition in partitions { partition.acknowledged(session, through: request.through) }
    reply(.acknowledge(WireAcknowledgeResponse()))
  }
}

extension Partition {
  fileprivate func acknowledged(_ session: SessionID, through sequence: UInt64) {
    guard let replica, replica.leads, sessions.keeps(session, upTo: sequence),
      node.catalog.catalog?.format ?? 0 >= AcknowledgementCommand.format
    else { return }
    acknowledgements.note(session, through: sequence, now: node.now)
  }

  /// Puts into the log what clients have told.
  func proposeAcknowledgements() {
    guard !acknowledgements.isEmpty, !node.space.isFull else { return }
    guard let replica, replica.leads else { return acknowledgements.clear() }
    guard let command = acknowledgements.takeDue(node.now) else { return }
    // Refused, they are forgotten in an hour all the same.
    _ = try? replica.propose(command.encode())
  }

  func apply(acknowledgementsIn entry: LogEntry) {
    do {
      for session in try AcknowledgementCommand(payload: entry.payload).sessions {
        sessions.acknowledge(session.id, through: session.through)
      }
    } catch {
      node.host.fatal("partition \(group): log entry \(entry.index) can't be applied: \(error)")
    }
  }
}
