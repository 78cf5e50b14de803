import Bytes
import Testing

@testable import Merkle

/// A record as the digests see it.
private struct Line: Hashable {
  let key: [UInt8]
  let from: UInt64
  let to: UInt64
  let value: [UInt8]

  func sum(_ hasher: RecordHasher) -> RecordSum {
    key.withUnsafeBytes { key in value.withUnsafeBytes { hasher.sum(key: key, from: from, to: to, value: $0) } }
  }

  static func random(_ random: inout SplitMix64) -> Line {
    let from = random.next() >> 1
    return Line(
      key: (0..<Int.random(in: 1...20, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) },
      from: from, to: Bool.random(using: &random) ? .max : from + UInt64.random(in: 1...1000, using: &random),
      value: (0..<Int.random(in: 0...80, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
  }
}

@Suite("Digests of records, and the trees over them")
struct SumTreeTests {
  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private func sum(_ lines: some Sequence<Line>) -> RecordSum {
    let hasher = RecordHasher()
    var sum = RecordSum()
    for line in lines { sum.add(line.sum(hasher)) }
    return sum
  }

  @Test("the sum of one record is its SHA-256 over lengths, key, versions and value")
  func oneRecord() {
    let line = Line(key: Array("k".utf8), from: 1, to: .max, value: Array("v".utf8))
    let message: [UInt8] =
      [1, 0, 0, 0, 0x6b] + [1, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0xff, count: 8) + [1, 0, 0, 0, 0x76]
    let hash = SHA256()
    message.withUnsafeBytes { hash.update($0) }
    #expect(sum([line]).bytes == hash.finish())
  }

  @Test("lengths keep key and value apart: what one loses the other does not gain")
  func lengths() {
    let one = Line(key: [1, 2], from: 3, to: 4, value: [5])
    let other = Line(key: [1], from: 3, to: 4, value: [2, 5])
    #expect(sum([one]) != sum([other]))
  }

  @Test("sums carry from word to word, and past the highest nothing is left")
  func carries() {
    let ones = [UInt8](repeating: 0xff, count: 32)
    var sum = ones.withUnsafeBytes { RecordSum(digest: $0) }
    let one: [UInt8] = [1] + [UInt8](repeating: 0, count: 31)
    sum.add(one.withUnsafeBytes { RecordSum(digest: $0) })
    #expect(sum == RecordSum())
    var half = ([UInt8](repeating: 0xff, count: 8) + [UInt8](repeating: 0, count: 24)).withUnsafeBytes {
      RecordSum(digest: $0)
    }
    half.add(one.withUnsafeBytes { RecordSum(digest: $0) })
    #expect(half.bytes == [UInt8](repeating: 0, count: 8) + [1] + [UInt8](repeating: 0, count: 23))
  }

  @Test("order and grouping don't matter; each record does", arguments: 1...50 as ClosedRange<UInt64>)
  func order(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let lines = (0..<Int.random(in: 1...60, using: &random)).map { _ in Line.random(&random) }
    let whole = sum(lines)
    #expect(sum(lines.shuffled(using: &random)) == whole, "seed \(seed)")
    let cut = Int.random(in: 0...lines.count, using: &random)
    var parts = sum(lines[..<cut])
    parts.add(sum(lines[cut...]))
    #expect(parts == whole, "seed \(seed)")
    var fewer = lines
    fewer.remove(at: Int.random(in: 0..<lines.count, using: &random))
    #expect(sum(fewer) != whole, "seed \(seed)")
    // Twice the same is not the same as once.
    #expect(sum(lines + [lines[0]]) != whole, "seed \(seed)")
  }

  @Test("the root is the hash of its children, down to the leaves")
  func shape() {
    let hasher = RecordHasher()
    var random = SplitMix64(seed: 1)
    // Some slices are empty, two of them neighbours.
    let sums = (0..<8).map { [0, 2, 3].contains($0) ? RecordSum() : Line.random(&random).sum(hasher) }
    let tree = SumTree(sums)
    #expect(tree.depth == 3)
    for number in 1..<8 {
      let hash = SHA256()
      ([1] + tree.node(2 * number) + tree.node(2 * number + 1)).withUnsafeBytes { hash.update($0) }
      #expect(hash.finish() == tree.node(number))
    }
    for slice in 0..<8 {
      let leaf = SHA256()
      ([0] + sums[slice].bytes).withUnsafeBytes { leaf.update($0) }
      #expect(leaf.finish() == tree.node(8 + slice))
    }
    #expect(tree.descendants(of: 3, levels: 2) == (12...15).flatMap(tree.node))
    #expect(tree.has(8, levels: 0) && !tree.has(8, levels: 1) && !tree.has(16, levels: 0) && !tree.has(0, levels: 0))
  }

  @Test("an empty tree of one leaf")
  func smallest() {
    let tree = SumTree([RecordSum()])
    #expect(tree.depth == 0)
    #expect(TreeDescent(depth: 0).slices == [0])
    #expect(hexadecimal(tree.root) == "7f9c9e31ac8256ca2f258583df262dbc7d6f68f2a03043d5c99a4ae5a7396ce9")
  }

  @Test("a descent finds the slices that differ, all of them and no others", arguments: 1...60 as ClosedRange<UInt64>)
  func descent(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let depth = Int.random(in: 0...9, using: &random)
    let hasher = RecordHasher()
    let leaves = (0..<1 << depth).map { _ in Line.random(&random).sum(hasher) }
    let changed = Set(
      (0..<Int.random(in: 1...TreeDescent.width / 2, using: &random)).map { _ in
        Int.random(in: 0..<1 << depth, using: &random)
      })
    // Of three trees each change is in one or two.
    var trees = [leaves, leaves, leaves]
    for slice in changed.sorted() {
      let odd = Int.random(in: 0..<3, using: &random)
      trees[odd][slice].add(Line.random(&random).sum(hasher))
      if Bool.random(using: &random) { trees[(odd + 1) % 3][slice].add(Line.random(&random).sum(hasher)) }
    }
    let built = trees.map { SumTree($0) }
    var descent = TreeDescent(depth: depth)
    var bytes = 0
    while descent.slices == nil {
      let answers = built.map { tree in
        descent.wanted.flatMap { tree.descendants(of: $0, levels: descent.levels) }
      }
      bytes += answers.reduce(0) { $0 + $1.count }
      let isTaken = descent.take(answers)
      #expect(isTaken, "seed \(seed)")
    }
    #expect(descent.slices == changed.sorted(), "seed \(seed)")
    #expect(!descent.isCut)
    if changed.count == 1 { #expect(bytes <= 3 * 16 * 32 * 3, "seed \(seed): \(bytes) bytes") }
  }

  @Test("answers of another length, or without a difference, are refused")
  func malformed() {
    let tree = SumTree([RecordSum](repeating: RecordSum(), count: 16))
    var descent = TreeDescent(depth: 4)
    let whole = tree.descendants(of: 1, levels: 4)
    for answers in [[whole, Array(whole.dropLast())], [whole, whole], []] {
      let isTaken = descent.take(answers)
      #expect(!isTaken)
    }
    #expect(descent.wanted == [1])
  }

  @Test("where more differ than are followed, it says so")
  func cut() {
    let hasher = RecordHasher()
    var random = SplitMix64(seed: 9)
    let one = SumTree([RecordSum](repeating: RecordSum(), count: 256))
    let other = SumTree((0..<256).map { _ in Line.random(&random).sum(hasher) })
    var descent = TreeDescent(depth: 8)
    while descent.slices == nil {
      let answers = [one, other].map { tree in
        descent.wanted.flatMap { tree.descendants(of: $0, levels: descent.levels) }
      }
      let isTaken = descent.take(answers)
      #expect(isTaken)
    }
    #expect(descent.isCut && descent.slices?.count == TreeDescent.width)
  }
}
