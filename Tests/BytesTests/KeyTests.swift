import Testing

@testable import Bytes

@Suite struct KeyTests {
  private func randomKey(_ random: inout SplitMix64) -> Key {
    // Few distinct bytes, so that shared prefixes and runs of 0xff are common.
    Key(
      (0..<Int.random(in: 0...6, using: &random)).map { _ in
        [0, 1, 0x7f, 0x80, 0xfe, 0xff].randomElement(using: &random) ?? 0
      })
  }

  @Test("keys are ordered as unsigned bytes, a prefix before what it begins")
  func order() {
    let ascending: [[UInt8]] = [[], [0], [0, 0], [0, 1], [1], [0x7f], [0x80], [0xff], [0xff, 0], [0xff, 0xff]]
    let keys = ascending.map { Key($0) }
    for (i, left) in keys.enumerated() {
      for (j, right) in keys.enumerated() {
        #expect((left < right) == (i < j))
        #expect((left == right) == (i == j))
        #expect(compareBytes(left.bytes, right.bytes).signum() == (i - j).signum())
      }
    }
  }

  @Test("the order is that of the bytes, one by one")
  func orderModel() {
    var random = SplitMix64(seed: 1)
    for _ in 0..<3000 {
      let (left, right) = (randomKey(&random), randomKey(&random))
      #expect((left < right) == left.bytes.lexicographicallyPrecedes(right.bytes), "\(left) \(right)")
    }
  }

  @Test("a key of a string is its UTF-8")
  func string() {
    #expect(Key("é").bytes == [0xc3, 0xa9])
    #expect(Key("").bytes.isEmpty)
  }

  @Test("nothing lies between a key and its successor")
  func successor() {
    var random = SplitMix64(seed: 2)
    for _ in 0..<3000 {
      let (key, other) = (randomKey(&random), randomKey(&random))
      #expect(key < key.successor)
      #expect(!(key < other && other < key.successor), "\(key) \(other)")
    }
  }

  @Test("the successor of a prefix ends exactly the keys that begin with it")
  func successorOfPrefix() {
    #expect(Key("ab").successorOfPrefix == Key("ac"))
    #expect(Key([1, 0xff, 0xff]).successorOfPrefix == Key([2]))
    #expect(Key([0xff, 0xff]).successorOfPrefix == nil)
    #expect(Key([]).successorOfPrefix == nil)
    var random = SplitMix64(seed: 3)
    for _ in 0..<3000 {
      let (prefix, key) = (randomKey(&random), randomKey(&random))
      let isInside = prefix <= key && (prefix.successorOfPrefix.map { key < $0 } ?? true)
      #expect(isInside == key.bytes.starts(with: prefix.bytes), "\(prefix) \(key)")
    }
  }
}
