import Bytes
import Testing

@testable import HashRing

/// Vectors of the reference implementation (xxhash 0.8.1), over the top bytes of SplitMix64 with seed 1.
@Suite struct XXH3Tests {
  private static let input: [UInt8] = {
    var random = SplitMix64(seed: 1)
    return (0..<100_000).map { _ in UInt8(random.next() >> 56) }
  }()

  @Test(
    "every class of lengths hashes as the reference does",
    arguments: [
      (0, 0x2d06_8005_38d3_94c2), (1, 0x0005_b2e9_34ce_ef7d), (2, 0x4a99_3068_f684_e8e5),
      (3, 0xf8d2_9198_2a08_c447),
      (4, 0x0eb1_1f29_c93e_824d), (5, 0x32f1_8db7_bf30_f714), (8, 0x2588_2eae_b159_1488),
      (9, 0x615f_6663_63b0_178b),
      (12, 0x8000_82be_a7ca_4482), (16, 0xb93e_91ce_3161_a60a), (17, 0x59dc_03d1_6312_076c),
      (32, 0x2a9d_d932_b27a_2ded), (33, 0x4b58_9db0_3853_0783), (64, 0xf0b8_980b_1545_e2c6),
      (128, 0x6091_3b3e_93a8_0b76), (129, 0x4fc8_a059_6fa5_721b), (160, 0xfc27_00c4_d782_bb9d),
      (240, 0x785b_6950_f594_8a7c), (241, 0x7b41_85fa_cce4_5d73), (256, 0x7779_652a_8b8c_616f),
      (300, 0xb32b_a941_45e4_4803), (512, 0xea98_644d_9a12_2cc8), (1023, 0xfbde_acaf_7c22_b669),
      (1024, 0xf396_815f_4967_f641), (1025, 0x32e9_e6db_383a_eade), (1088, 0x3ed3_fc66_ac32_1c7b),
      (1089, 0x1aa5_7ca3_b326_6512), (2048, 0x874a_fcc2_9a33_7357), (4096, 0xc227_f963_98de_1c38),
      (65536, 0x89c6_8cf6_7d35_24b9), (100_000, 0xc907_5061_a04a_0798),
    ] as [(Int, UInt64)])
  func vectors(length: Int, hash: UInt64) {
    #expect(XXH3Tests.input[..<length].withUnsafeBytes { XXH3.hash($0) } == hash)
  }

  @Test(
    "every length of a class hashes as the reference does, at any alignment",
    arguments: [
      (0...0, 0x2d06_8005_38d3_94c2), (1...3, 0xdbe1_15eb_6161_d2e1),
      (4...8, 0x6887_bbaf_acae_cc5b),
      (9...16, 0xe0da_4e91_7a8f_14a5), (17...128, 0xc094_e611_5d4d_654f),
      (129...240, 0x4da4_becb_ee03_cfe7),
      (241...1300, 0xc1bb_09d4_c232_5536),
    ] as [(ClosedRange<Int>, UInt64)])
  func classes(lengths: ClosedRange<Int>, expected: UInt64) {
    let sum = lengths.reduce(into: UInt64(0)) { sum, length in
      // A window that begins at another byte each time, so that unaligned loads are exercised.
      let window = XXH3Tests.input[(length % 7)...].prefix(length)
      sum = sum &* 31 &+ window.withUnsafeBytes { XXH3.hash($0) }
    }
    #expect(sum == expected)
  }

  @Test("the position of a key is the hash of its bytes and never changes")
  func position() {
    #expect(Position(of: Key("user:1")).rawValue == 0x3b57_7afd_7fed_9501)
    #expect(Position(ofBytes: Array("user:1".utf8)) == Position(of: Key("user:1")))
    #expect(Position(of: Key("user:1")).description == "3b577afd7fed9501")
    #expect(Position(of: Key([])).rawValue == 0x2d06_8005_38d3_94c2)
    #expect(Position(rawValue: 255).description == "00000000000000ff")
  }

  @Test("keys spread evenly over sixteen arcs")
  func spread() {
    var counts = [Int](repeating: 0, count: 16)
    for number in 0..<16_000 {
      counts[Int(Position(of: Key("key-\(number)")).rawValue >> 60)] += 1
    }
    // Five standard deviations of a binomial distribution (16000, 1/16): about 153.
    #expect(counts.allSatisfy { abs($0 - 1000) < 153 }, "\(counts)")
  }
}
