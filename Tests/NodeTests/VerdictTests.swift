import Bytes
import Testing
import Wire

@testable import Node

@Suite("Who is right")
struct VerdictTests {
  private func verdict(_ findings: [CheckVerdict.Finding]) -> CheckVerdict {
    CheckVerdict(
      findings.enumerated().map {
        (ReplicaID(node: NodeID(rawValue: UInt32($0.offset + 1)), incarnation: 1), $0.element)
      })
  }

  private func nodes(_ replicas: [ReplicaID]) -> [UInt32] { replicas.map(\.node.rawValue) }

  private let a = CheckVerdict.Finding.sound(root: [1])
  private let b = CheckVerdict.Finding.sound(root: [2])
  private let c = CheckVerdict.Finding.sound(root: [3])

  @Test("all alike: nobody is wrong, whether all could be looked at or not")
  func equal() {
    for findings in [[a, a, a], [a], [a, .notChecked, .notChecked], [.notChecked]] {
      let verdict = verdict(findings)
      #expect(verdict.wrong.isEmpty && verdict.undecided == nil)
    }
  }

  @Test("a majority of sound replicas is right, the others are wrong")
  func majority() {
    #expect(nodes(verdict([a, b, a]).wrong) == [2])
    #expect(nodes(verdict([a, .damaged, a]).wrong) == [2])
    #expect(nodes(verdict([a, a, b, .damaged, a]).wrong) == [3, 4])
    #expect(nodes(verdict([a, a, b, .damaged, a]).right) == [1, 2, 5])
  }

  @Test("one that could not be looked at is neither right nor wrong")
  func unknown() {
    #expect(nodes(verdict([a, .notChecked, a, a, b]).wrong) == [5])
    #expect(verdict([a, .notChecked, b]).undecided != nil)
  }

  @Test("without a majority of all voters nobody is right")
  func nobody() {
    for findings in [
      [a, b, c], [a, .damaged, .damaged], [a, .damaged], [a, b], [.damaged], [a, a, b, b, .damaged],
    ] {
      let verdict = verdict(findings)
      #expect(verdict.wrong.isEmpty && verdict.right.isEmpty && verdict.undecided != nil)
    }
  }
}

@Suite("What differs between lists of records")
struct RecordDiffTests {
  private func page(_ node: UInt32, _ records: [(String, UInt64, UInt8)], more: Bool = false) -> RecordDiff.Page {
    RecordDiff.Page(
      replica: ReplicaID(node: NodeID(rawValue: node), incarnation: 1),
      records: records.map { key, from, digest in
        .with {
          $0.key = .init(key.utf8)
          $0.from = from
          $0.digest = .init([digest])
        }
      }, more: more)
  }

  private func found(_ pages: [RecordDiff.Page], through: Key? = nil) -> [String] {
    RecordDiff.differences(pages, through: through).map { "\(String(decoding: $0.key, as: UTF8.self))@\($0.from)" }
  }

  @Test("each version that not all have alike, in record order")
  func differences() {
    let pages = [
      page(1, [("a", 9, 1), ("a", 3, 1), ("b", 4, 1)]), page(2, [("a", 9, 1), ("a", 3, 2), ("c", 1, 1)]),
    ]
    #expect(found(pages) == ["a@3", "b@4", "c@1"])
    #expect(found([pages[0], pages[0]]).isEmpty)
  }

  @Test("what lies beyond the shortest page is left for the next")
  func pages() {
    let pages = [
      page(1, [("a", 1, 1), ("b", 1, 1)], more: true), page(2, [("a", 1, 1), ("c", 1, 1), ("d", 1, 1)], more: true),
    ]
    #expect(RecordDiff.frontier(pages) == Key("b"))
    #expect(found(pages, through: Key("b")) == ["b@1"])
    #expect(RecordDiff.frontier([page(1, []), page(2, [("x", 1, 1)])]) == nil)
  }
}
