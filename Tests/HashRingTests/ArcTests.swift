import Bytes
import Testing

@testable import HashRing

@Suite struct ArcTests {
  @Test("equal parts cover the ring in order, each position in exactly one")
  func equalParts() throws {
    var random = SplitMix64(seed: 3)
    for count in [1, 2, 16, 4096] {
      let arcs = try Arc.equalParts(count: count)
      #expect(arcs.count == count)
      #expect(arcs.first?.first.rawValue == 0)
      #expect(arcs.last?.last.rawValue == .max)
      for (arc, next) in zip(arcs, arcs.dropFirst()) {
        #expect(arc.last.rawValue &+ 1 == next.first.rawValue)
      }
      let position = Position(rawValue: random.next())
      #expect(arcs.count { $0.contains(position) } == 1)
    }
  }

  @Test(
    "a ring is not divided into a number of parts that is no power of two, or too large",
    arguments: [
      -2, 0, 3, 12, 8192, Int.max, Int.min,
    ])
  func badPartCount(count: Int) {
    #expect(throws: RingError.badPartCount(found: count, limit: Limits.partitions)) {
      try Arc.equalParts(count: count)
    }
  }

  @Test("an arc holds what lies between its first and last position, whatever its length")
  func contains() {
    var random = SplitMix64(seed: 4)
    for bits in 0...Arc.maximumBits {
      let prefix = random.next() >> (64 - UInt64(bits))
      let arc = Arc(bits: bits, prefix: prefix)
      #expect(arc.contains(arc.first) && arc.contains(arc.last))
      if arc.first.rawValue > 0 {
        #expect(!arc.contains(Position(rawValue: arc.first.rawValue - 1)))
      }
      if arc.last.rawValue < .max {
        #expect(!arc.contains(Position(rawValue: arc.last.rawValue + 1)))
      }
      for _ in 0..<20 {
        let position = Position(rawValue: random.next())
        #expect(
          arc.contains(position) == (arc.first...arc.last).contains(position), "\(arc) \(position)")
      }
    }
  }

  @Test("an arc splits into two halves down to a single position")
  func split() throws {
    var arc = Arc.ring
    var random = SplitMix64(seed: 5)
    while let (lower, upper) = arc.split() {
      #expect(lower.first == arc.first && upper.last == arc.last)
      #expect(lower.last.rawValue + 1 == upper.first.rawValue)
      #expect(
        arc.contains(lower) && arc.contains(upper) && !lower.contains(upper) && !lower.contains(arc)
      )
      #expect(arc.overlaps(lower) && upper.overlaps(arc) && !lower.overlaps(upper))
      arc = Bool.random(using: &random) ? lower : upper
    }
    #expect(arc.bits == 64 && arc.first == arc.last)
  }

  @Test("an arc reads as its place among the equal parts of the ring")
  func description() {
    #expect(Arc.ring.description == "0/1")
    #expect(Arc(bits: 4, prefix: 5).description == "5/16")
    #expect(Arc(bits: 64, prefix: .max).description == "18446744073709551615/18446744073709551616")
  }

  @Test("an arc is two numbers, and numbers that are none are refused")
  func encoding() throws {
    var writer = ByteWriter()
    Arc(bits: 4, prefix: 5).encode(into: &writer)
    #expect(writer.bytes == [4, 5, 0, 0, 0, 0, 0, 0, 0])
    #expect(writer.count == Arc.encodedBytes)
    var reader = ByteReader(writer.bytes)
    #expect(try Arc(from: &reader) == Arc(bits: 4, prefix: 5))
    for bytes: [UInt8] in [
      [4, 16, 0, 0, 0, 0, 0, 0, 0], [65, 0, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0], [4],
    ] {
      var reader = ByteReader(bytes)
      #expect(throws: ByteError.self) { try Arc(from: &reader) }
    }
    #expect(try Arc(validating: 64, prefix: .max).prefix == .max)
    #expect(throws: RingError.badArc(bits: 63, prefix: .max)) {
      try Arc(validating: 63, prefix: .max)
    }
    #expect(throws: RingError.badArc(bits: .max, prefix: 0)) {
      try Arc(validating: .max, prefix: 0)
    }
  }
}
