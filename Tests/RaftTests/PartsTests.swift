import Bytes
import Testing

@testable import Raft

@Suite("Parts of the core")
struct PartsTests {
  @Test("a quorum's value is what a majority of the voters, and of the outgoing ones, has reached")
  func quorum() {
    var random = SplitMix64(seed: 11)
    for round in 0..<500 {
      let peers = (1...UInt32.random(in: 1...9, using: &random)).map { number in
        var peer = Progress(id: replica(number))
        peer.isVoter = number == 1 || Bool.random(using: &random)
        peer.isOutgoing = Int.random(in: 0..<3, using: &random) == 0
        peer.match = index(UInt64.random(in: 0...6, using: &random))
        return peer
      }
      func majority(_ part: [Progress]) -> UInt64 {
        part.isEmpty ? .max : part.map(\.match.rawValue).sorted(by: >)[part.count / 2]
      }
      let expected = min(majority(peers.filter(\.isVoter)), majority(peers.filter(\.isOutgoing)))
      #expect(peers.quorum { $0.match.rawValue } == expected, "round \(round): \(peers.map(\.match))")
    }
    #expect([Progress]().quorum { _ in 7 } == 0, "nobody decides nothing")
  }

  @Test("an election is won by a majority of yes, lost when that is out of reach, and open between")
  func outcome() {
    func outcome(_ votes: [Bool?], _ outgoing: [Bool?] = []) -> Bool? {
      let new = votes.enumerated().map { number, vote in
        var peer = Progress(id: replica(UInt32(number + 1)))
        (peer.isVoter, peer.vote) = (true, vote)
        return peer
      }
      let old = outgoing.enumerated().map { number, vote in
        var peer = Progress(id: replica(UInt32(number + 100)))
        (peer.isOutgoing, peer.vote) = (true, vote)
        return peer
      }
      return (new + old).electionOutcome
    }
    #expect(outcome([true]) == true)
    #expect(outcome([true, nil]) == nil)
    #expect(outcome([true, false]) == false)
    #expect(outcome([true, true, nil]) == true)
    #expect(outcome([true, false, nil]) == nil)
    #expect(outcome([false, false, nil]) == false)
    #expect(outcome([true, true, false, false]) == false)
    #expect(outcome([true, true, true], [true, nil, nil]) == nil)
    #expect(outcome([true, true, true], [true, false, false]) == false)
    #expect(outcome([true, true, nil], [true, true, false]) == true)
  }

  @Test("the log in memory behaves like an array of entries behind a compacted one")
  func logTail() {
    var random = SplitMix64(seed: 5)
    for round in 0..<60 {
      var log = LogTail(base: (index(3), term(1)), entries: [])
      var model: [LogEntry] = []
      var base = (index: index(3), term: term(1))
      for step in 0..<80 {
        let last = model.last?.index ?? base.index
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<6:
          let top = (model.last?.term ?? base.term).rawValue
          let entry = LogEntry(
            term: term(top + UInt64.random(in: 0...1, using: &random)), index: last.next,
            payload: Array(repeating: 0, count: Int.random(in: 0...30, using: &random)))
          model.append(entry)
          log.append(entry)
        case 6..<8:
          let cut = index(UInt64.random(in: base.index.next.rawValue...last.rawValue + 2, using: &random))
          model.removeAll { $0.index >= cut }
          log.truncate(from: cut)
        default:
          let cut = index(UInt64.random(in: 0...last.rawValue, using: &random))
          if let entry = model.first(where: { $0.index == cut }) { base = (entry.index, entry.term) }
          model.removeAll { $0.index <= cut }
          log.compact(through: cut)
        }
        let note: Comment = "round \(round), step \(step)"
        #expect(log.lastIndex == model.last?.index ?? base.index, note)
        #expect(log.lastTerm == model.last?.term ?? base.term, note)
        #expect(log.bytes == model.reduce(0) { $0 + $1.encodedBytes }, note)
        #expect(log.slice(from: log.firstIndex, through: log.lastIndex) == model, note)
        checkMatch(log, model, base, &random)
      }
    }
  }

  private func checkMatch(
    _ log: LogTail, _ model: [LogEntry], _ base: (index: LogIndex, term: Term), _ random: inout SplitMix64
  ) {
    let at = index(UInt64.random(in: 0...log.lastIndex.rawValue + 2, using: &random))
    let top = term(UInt64.random(in: 0...log.lastTerm.rawValue + 1, using: &random))
    let found = log.lastPossibleMatch(index: at, term: top)
    let expected = model.last { $0.index <= at && $0.term <= top }
    if let expected {
      #expect(found.index == expected.index && found.term == expected.term)
    } else if base.index <= at, base.term <= top {
      #expect(found.index == base.index && found.term == base.term)
    } else {
      #expect(found.index < base.index && found.term == nil)
    }
  }

  @Test("a slice ends before it grows too large, but has at least one entry")
  func slices() {
    let sizes = [10, 10, 100, 10]
    let entries = sizes.enumerated().map {
      LogEntry(
        term: term(1), index: index(UInt64($0 + 1)),
        payload: Array(repeating: 0, count: $1 - LogEntry.headerBytes > 0 ? $1 - LogEntry.headerBytes : 0))
    }
    let log = LogTail(base: (.zero, .zero), entries: entries)
    func count(from first: UInt64, _ bytes: Int) -> Int {
      log.slice(from: index(first), through: index(4), maxBytes: bytes).count
    }
    #expect(count(from: 1, 1) == 1)
    #expect(count(from: 1, 42) == 2)
    #expect(count(from: 1, 141) == 2)
    #expect(count(from: 1, 142) == 3)
    #expect(count(from: 3, 5) == 1)
    #expect(count(from: 1, .max) == 4)
  }

  @Test("the window of unanswered appends counts messages and bytes, over any wrap of its ring")
  func inflights() {
    var random = SplitMix64(seed: 3)
    var window = Inflights()
    var model: [(last: UInt64, bytes: Int)] = []
    var next: UInt64 = 1
    for _ in 0..<3000 {
      if Bool.random(using: &random), model.count < 37 {
        let bytes = Int.random(in: 0...50, using: &random)
        window.add(last: index(next), bytes: bytes)
        model.append((next, bytes))
        next += UInt64.random(in: 1...3, using: &random)
      } else {
        let through = UInt64.random(in: 0...next, using: &random)
        window.free(through: index(through))
        model.removeAll { $0.last <= through }
      }
      #expect(window.count == model.count)
      #expect(window.bytes == model.reduce(0) { $0 + $1.bytes })
    }
  }

  @Test("messages that no correct replica sends are counted and change nothing")
  func malformed() {
    let entry = LogEntry(term: term(1), index: index(2), payload: [])
    let header = SnapshotHeader(index: index(3), term: term(9), membership: Membership(voters: [replica(1)]))
    func message(_ kind: Message.Kind, _ change: (inout Message) -> Void) -> Message {
      var message = Message(kind: kind, from: replica(2), to: replica(1), term: term(3))
      change(&message)
      return message
    }
    let bad: [Message] = [
      message(.append) { $0.to = replica(7) },
      message(.append) { $0.from = replica(1) },
      message(.append) { $0.from = .none },
      message(.append) { $0.term = .zero },
      message(.append) { $0.term = term(.max) },
      message(.append) { $0.commit = index(.max) },
      message(.append) { $0.index = index(.max) },
      message(.append) { $0.index = index(1) },
      message(.append) { $0.logTerm = term(1) },
      message(.append) { $0.entries = [entry] },
      message(.append) { ($0.index, $0.logTerm, $0.entries) = (index(1), term(1), [entry, entry]) },
      message(.append) { ($0.index, $0.logTerm, $0.entries) = (index(1), term(2), [entry]) },
      message(.append) { ($0.index, $0.logTerm) = (index(1), term(9)) },
      message(.heartbeat) { $0.entries = [entry] },
      message(.snapshot) { _ in },
      message(.snapshot) { $0.snapshot = header },
      message(.heartbeat) { $0.snapshot = header },
      message(.appendResponse) { $0.rejectHint = index(.max) },
    ]
    for message in bad {
      var core = RaftCore(
        id: replica(1), options: RaftOptions(), hardState: HardState(term: term(1)),
        membership: Membership(voters: [1, 2, 3].map(replica)), compacted: (.zero, .zero), entries: [], applied: .zero,
        seed: 1, now: 0)
      core.step(message, now: 1)
      #expect(core.status.violations == 1, "\(message)")
      #expect(core.term == term(1) && core.lastIndex == .zero && !core.hasReady, "\(message)")
    }
  }

  @Test("no message, however wrong, makes a replica crash")
  func fuzz() {
    var random = SplitMix64(seed: 99)
    func number() -> UInt64 {
      Int.random(in: 0..<20, using: &random) == 0 ? random.next() >> 1 : UInt64.random(in: 0...6, using: &random)
    }
    for round in 0..<400 {
      var core = RaftCore(
        id: replica(1), options: RaftOptions(), hardState: HardState(),
        membership: Membership(voters: [1, 2].map(replica)),
        compacted: (index(1), term(1)), entries: [], applied: index(1), seed: UInt64(round), now: 0)
      var now: UInt64 = 0
      for _ in 0..<60 {
        now += UInt64.random(in: 0...1_000_000_000, using: &random)
        core.tick(now: now)
        let first = number()
        var message = Message(
          kind: Message.Kind.allCases.randomElement(using: &random) ?? .append,
          from: replica(UInt32.random(in: 1...3, using: &random)), to: replica(1), term: term(number()),
          index: index(first), logTerm: term(number()), commit: index(number()), reject: Bool.random(using: &random),
          rejectHint: index(number()), hintTerm: term(number()), context: number(), sentAt: number(),
          echo: Bool.random(using: &random) ? number() : now, forced: Bool.random(using: &random))
        if message.kind == .append, first < 1 << 60 {
          var top = message.logTerm.rawValue
          for offset in 0..<UInt64.random(in: 0...3, using: &random) {
            top += UInt64.random(in: 0...1, using: &random)
            message.entries.append(LogEntry(term: term(top), index: index(first + 1 + offset), payload: []))
          }
        }
        if message.kind == .snapshot {
          message.snapshot = SnapshotHeader(
            index: index(number()), term: term(number()), membership: Membership(voters: [1, 2].map(replica)))
        }
        core.step(message, now: now)
        _ = try? core.propose([[1]], now: now)
        try? core.readIndex(context: 1, now: now)
        let ready = core.ready()
        core.persisted(ticket: ready.ticket, now: now)
        if let last = ready.committed.last { core.applied(to: last.index) }
        if let snapshot = ready.snapshot { core.installed(snapshot: snapshot, now: now) }
      }
      #expect(core.applied <= core.commit && core.commit <= core.lastIndex)
    }
  }
}
