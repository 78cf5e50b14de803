extension XXH3 {
  private static let stripeBytes = 64
  /// Each stripe of a block reads the secret eight bytes further on.
  private static let secretStep = 8
  private static let stripesInBlock = (secret.count - stripeBytes) / secretStep
  private static let halfWord = SIMD8<UInt64>(repeating: 0xffff_ffff)

  /// More than 240 bytes: eight accumulators take in stripes of 64 bytes, and are scrambled after each block.
  static func hashLong(_ input: Input) -> UInt64 {
    var sums = SIMD8<UInt64>(
      Prime.half3, Prime.word1, Prime.word2, Prime.word3, Prime.word4, Prime.half2, Prime.word5,
      Prime.half1)
    let scrambler = input.secretStripe(secret.count - stripeBytes)
    // The last stripe ends with the input, overlaps its predecessor where need be, and is taken in on its own.
    var offset = 0
    var place = 0
    while offset + stripeBytes < input.count {
      accumulate(&sums, input.stripe(offset), input.secretStripe(place * secretStep))
      offset += stripeBytes
      place += 1
      if place == stripesInBlock {
        scramble(&sums, scrambler)
        place = 0
      }
    }
    accumulate(
      &sums, input.stripe(input.count - stripeBytes),
      input.secretStripe(secret.count - stripeBytes - 7))
    return merged(sums, input)
  }

  private static func accumulate(
    _ sums: inout SIMD8<UInt64>, _ stripe: SIMD8<UInt64>, _ secret: SIMD8<UInt64>
  ) {
    let value = stripe ^ secret
    var swapped = stripe
    swapped.evenHalf = stripe.oddHalf
    swapped.oddHalf = stripe.evenHalf
    sums &+= swapped
    sums &+= (value & halfWord) &* (value &>> SIMD8(repeating: 32))
  }

  private static func scramble(_ sums: inout SIMD8<UInt64>, _ secret: SIMD8<UInt64>) {
    sums ^= sums &>> SIMD8(repeating: 47)
    sums ^= secret
    sums &*= SIMD8(repeating: Prime.half1)
  }

  private static func merged(_ sums: SIMD8<UInt64>, _ input: Input) -> UInt64 {
    let mergeOffset = 11
    var hash = UInt64(input.count) &* Prime.word1
    for pair in 0..<4 {
      let offset = mergeOffset + pair * 16
      hash &+= folded(
        sums[2 * pair] ^ input.secretWord(offset), sums[2 * pair + 1] ^ input.secretWord(offset + 8)
      )
    }
    return avalanche(hash)
  }
}
