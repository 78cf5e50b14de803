import Bytes
import Testing

@testable import Table

@Suite struct BloomFilterTests {
  @Test("every key passes that was put in; of others at 10 bits a key fewer than 2 in 100")
  func rates() {
    for count in [1, 2, 100, 4000] {
      let filter = BloomFilter(hashes: (0..<count).map(hash), bitsPerKey: 10)
      for number in 0..<count where !filter.mayContain(hash(number)) { Issue.record("key \(number) of \(count)") }
      var passed = 0
      for number in count..<count + 4000 where filter.mayContain(hash(number)) { passed += 1 }
      #expect(passed < 80, "\(count) keys: \(passed) of 4000")
    }
  }

  @Test("the stored hash of a key never changes")
  func stable() {
    #expect(hash("") == 1_832_179_330_659_276_340)
    #expect(hash("a") == 282_012_187_765_519_086)
    #expect(hash("12345678") == 7_710_120_253_689_166_584)
    #expect(hash("a key of more than one word") == 2_285_611_535_607_990_649)
  }

  private func hash(_ number: Int) -> UInt64 { hash("user/\(number)") }

  private func hash(_ key: String) -> UInt64 { Array(key.utf8).withRawBytes { KeyHash.hash($0) } }
}
