import Bytes
import Environment
import Simulation
import Testing

@testable import Table

@Suite struct BlockCacheTests {
  /// A block with a payload of about 1000 bytes.
  private func block() throws -> Block {
    let record = Record(key: Key("k"), version: .zero, value: [UInt8](repeating: 1, count: 1000))
    let reader = try openTable(try makeTable([record]))
    let run = try #require(reader.runs.first)
    return try run.load(try run.index(caching: false).index.handle(0))
  }

  @Test("the budget is kept, and blocks that were used again outlive those that weren't")
  func clock() throws {
    let block = try block()
    let cache = BlockCache(byteBudget: 20 * block.cost)
    for number in 0..<10 as Range<UInt64> { cache.insert(block, table: 1, offset: number) }
    for number in 0..<5 as Range<UInt64> { #expect(cache.find(table: 1, offset: number) != nil) }
    for number in 0..<14 as Range<UInt64> { cache.insert(block, table: 2, offset: number) }
    #expect(cache.byteCount <= 20 * block.cost)
    for number in 0..<5 as Range<UInt64> { #expect(cache.find(table: 1, offset: number) != nil, "\(number)") }
    #expect((5..<10).contains { cache.find(table: 1, offset: $0) == nil })
  }

  @Test("what is admitted puts nothing out, and what is forgotten makes room")
  func admission() throws {
    let block = try block()
    let cache = BlockCache(byteBudget: 8 * block.cost)
    for number in 0..<8 as Range<UInt64> { cache.admit(block, table: number % 2, offset: number) }
    #expect(cache.room == 0)
    cache.admit(block, table: 2, offset: 0)
    #expect(cache.find(table: 2, offset: 0) == nil)
    cache.forget([1])
    for number in 0..<8 as Range<UInt64> {
      #expect((cache.find(table: number % 2, offset: number) == nil) == (number % 2 == 1))
    }
    #expect(cache.room == 4 * block.cost)
    cache.admit(block, table: 2, offset: 0)
    #expect(cache.find(table: 2, offset: 0) != nil)
  }

  @Test("random insertions and look-ups give what was put there, within the budget")
  func model() throws {
    let blocks = try (0..<4).map { _ in try block() }
    var random = SplitMix64(seed: 11)
    for capacity in [0, 3, 4, 17, 100] {
      let cache = BlockCache(byteBudget: capacity * blocks[0].cost)
      for step in 0..<2000 {
        let place = random.next() % 200
        let expected = blocks[Int(place % 4)]
        if random.next() % 2 == 0 {
          cache.insert(expected, table: 7, offset: place)
        } else if let found = cache.find(table: 7, offset: place) {
          #expect(found === expected, "capacity \(capacity) step \(step)")
        }
        #expect(cache.find(table: 8, offset: place) == nil)
      }
      #expect(cache.byteCount <= capacity * blocks[0].cost)
      #expect(capacity < 4 || cache.byteCount >= (capacity - 1) * blocks[0].cost)
    }
  }
}
