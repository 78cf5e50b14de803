import Bytes
import Testing

@testable import Raft

@Suite("A leader whose log lacks what was committed")
struct ContradictionTests {
  /// A follower with entries 2 to 5 of the first term, the first four committed.
  private func follower() -> RaftCore {
    RaftCore(
      id: replica(3), options: RaftOptions(), hardState: HardState(term: term(1), commit: index(4)),
      membership: Membership(voters: [1, 2, 3].map(replica)), compacted: (index(1), term(1)),
      entries: (2...5).map { LogEntry(term: term(1), index: index($0), payload: []) }, applied: index(1), seed: 1,
      now: 0)
  }

  private func append(after last: UInt64, _ lastTerm: UInt64, terms: [UInt64]) -> Message {
    Message(
      kind: .append, from: replica(1), to: replica(3), term: term(5), index: index(last), logTerm: term(lastTerm),
      entries: terms.enumerated().map { LogEntry(term: term($1), index: index(last + 1 + UInt64($0)), payload: []) })
  }

  private func answers(_ core: inout RaftCore, to message: Message) -> [LogIndex] {
    core.step(message, now: 1)
    let ready = core.ready()
    core.persisted(ticket: ready.ticket, now: 1)
    return (ready.immediate + ready.afterPersist).filter { $0.kind == .appendResponse && !$0.reject }.map(\.index)
  }

  @Test("is told nothing that it could count, and noticed; nothing changes")
  func refused() {
    for message in [
      append(after: 2, 1, terms: [5]), append(after: 3, 1, terms: [5, 5, 5]), append(after: 3, 2, terms: []),
    ] {
      var core = follower()
      #expect(answers(&core, to: message).isEmpty)
      #expect(core.contradictions == 1 && core.status.violations == 1)
      #expect(core.commit == index(4) && core.lastIndex == index(5))
    }
  }

  @Test("old news of the log that was committed is answered as ever")
  func oldNews() {
    for message in [
      append(after: 2, 1, terms: [1]), append(after: 1, 1, terms: [1, 1, 1]), append(after: 3, 1, terms: []),
    ] {
      var core = follower()
      #expect(answers(&core, to: message) == [index(4)])
      #expect(core.contradictions == 0)
    }
  }

  @Test("a heartbeat that knows more committed than the log has, where it had matched, contradicts it too")
  func lostEnd() {
    var core = follower()
    core.step(
      Message(kind: .heartbeat, from: replica(1), to: replica(3), term: term(5), commit: index(9)), now: 1)
    #expect(core.contradictions == 1 && core.commit == index(4))
  }
}
