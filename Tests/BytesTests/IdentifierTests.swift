import Testing

@testable import Bytes

@Suite struct IdentifierTests {
  @Test("a count of bytes reads in the largest unit that divides it")
  func byteCount() {
    #expect(ByteCount.bytes(0).description == "0 B")
    #expect(ByteCount.bytes(300).description == "300 B")
    #expect(ByteCount.bytes(1025).description == "1025 B")
    #expect(ByteCount.kibibytes(4).description == "4 KiB")
    #expect(ByteCount.kibibytes(1024).description == "1 MiB")
    #expect(ByteCount.kibibytes(1025).description == "1025 KiB")
    #expect(ByteCount.mebibytes(8).description == "8 MiB")
    #expect(ByteCount.mebibytes(2048).description == "2 GiB")
    #expect(ByteCount.bytes(-5).description == "-5 B")
    #expect(ByteCount.kibibytes(4) < ByteCount.mebibytes(1))
  }

  @Test("a replica's id says its node and its incarnation, and orders by them")
  func replica() {
    let replica = ReplicaID(node: NodeID(rawValue: 7), incarnation: 3)
    #expect(replica.node == NodeID(rawValue: 7))
    #expect(replica.incarnation == 3)
    #expect(replica.description == "7.3")
    #expect(replica < ReplicaID(node: NodeID(rawValue: 7), incarnation: 4))
    #expect(replica < ReplicaID(node: NodeID(rawValue: 8), incarnation: 0))
    #expect(ReplicaID(node: NodeID(rawValue: .max), incarnation: .max).rawValue == .max)
    #expect(ReplicaID.none.node.rawValue == 0)
  }

  @Test("terms, indexes, nodes and groups count and order as numbers")
  func numbers() {
    #expect(Term.zero.next == Term(rawValue: 1) && Term.zero < Term.zero.next)
    #expect(LogIndex.zero.previous == .zero)
    #expect(LogIndex.zero.next.previous == .zero)
    #expect(LogIndex(rawValue: 5) + 3 == LogIndex(rawValue: 8))
    #expect(LogIndex(rawValue: 5) + -3 == LogIndex(rawValue: 2))
    #expect(LogIndex(rawValue: 5) - LogIndex(rawValue: 8) == -3)
    #expect(LogIndex(rawValue: 9) < LogIndex(rawValue: 10))
    #expect(NodeID(rawValue: 9) < NodeID(rawValue: 10))
    #expect(GroupID.catalog < GroupID(rawValue: 1))
    #expect("\(Term(rawValue: 4)) \(LogIndex(rawValue: 5)) \(NodeID(rawValue: 6)) \(GroupID(rawValue: 7))" == "4 5 6 7")
  }

  @Test("the random generator gives the published numbers")
  func splitMix64() {
    // The outputs for seed 1234567 that the algorithm's published test data list.
    var random = SplitMix64(seed: 1_234_567)
    #expect(
      (0..<5).map { _ in random.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
      ])
    var zero = SplitMix64(seed: 0)
    #expect(zero.next() == 0xe220_a839_7b1d_cdaf)
  }

  @Test("errors say where, what was expected and what was found")
  func errors() {
    #expect(
      ByteError.truncated(offset: 3, needed: 8, available: 2).description
        == "truncated at byte 3: expected 8 more bytes, found 2")
    #expect(
      ByteError.malformed(offset: 3, expected: "an A", found: "a B").description
        == "malformed at byte 3: expected an A, found a B")
  }
}
