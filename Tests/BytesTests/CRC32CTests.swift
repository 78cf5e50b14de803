import Testing

@testable import Bytes

@Suite struct CRC32CTests {
  @Test("RFC 3720 appendix B.4 vectors")
  func vectors() {
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(CRC32C.checksum(Array(0..<32)) == 0x46dd_794e)
    #expect(CRC32C.checksum((0..<32).reversed()) == 0x113f_db5c)
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
  }

  @Test("instructions and tables agree at every length and split")
  func agree() {
    var random = SplitMix64(seed: 1)
    for length in Array(0..<600) + [1023, 3071, 3072, 3073, 4096, 9999, 16384] {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      let whole = CRC32C.checksum(bytes)
      #expect(whole == bytes.withUnsafeBytes { CRC32C.portable($0) }, "length \(length)")
      let cut = length == 0 ? 0 : Int.random(in: 0...length, using: &random)
      let joined = CRC32C.checksum(Array(bytes[cut...]), seed: CRC32C.checksum(Array(bytes[..<cut])))
      #expect(joined == whole, "length \(length) cut at \(cut)")
    }
  }
}
