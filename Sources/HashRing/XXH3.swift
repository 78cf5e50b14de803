/// The XXH3 64-bit hash with seed 0 and the default secret, as the xxHash specification defines it (section
/// "XXH3 Algorithm Overview"). Each class of lengths has an algorithm of its own.
enum XXH3 {
  /// The hash of the bytes of a buffer.
  static func hash(_ buffer: UnsafeRawBufferPointer) -> UInt64 {
    secret.withUnsafeBytes { secret in
      let input = Input(buffer, secret)
      return switch buffer.count {
      case 0: avalanche64(input.secretWord(56) ^ input.secretWord(64))
      case 1...3: hashUpTo3(input)
      case 4...8: hashUpTo8(input)
      case 9...16: hashUpTo16(input)
      case 17...128: hashUpTo128(input)
      case 129...240: hashUpTo240(input)
      default: hashLong(input)
      }
    }
  }

  /// The bytes to hash and the secret, read as little-endian words.
  struct Input {
    private let bytes: UnsafeRawBufferPointer
    private let secret: UnsafeRawBufferPointer

    // SAFETY: both buffers outlive the hash, inside whose closure this lives. The raw buffers' loads are checked
    // against the bounds in debug builds; the tests run every length from 0 to 1300 with them.
    init(_ bytes: UnsafeRawBufferPointer, _ secret: UnsafeRawBufferPointer) {
      self.bytes = bytes
      self.secret = secret
    }

    var count: Int { bytes.count }

    func byte(_ offset: Int) -> UInt32 { UInt32(bytes[offset]) }

    func halfWord(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    func word(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    func secretWord(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: secret.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The 64 bytes at an offset as eight words.
    func stripe(_ offset: Int) -> SIMD8<UInt64> { Input.words(bytes, offset) }

    /// The 64 bytes at an offset of the secret as eight words.
    func secretStripe(_ offset: Int) -> SIMD8<UInt64> { Input.words(secret, offset) }

    private static func words(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> SIMD8<UInt64> {
      let words = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
      #if _endian(little)
        return words
      #else
        return SIMD8(words.indices.map { UInt64(littleEndian: words[$0]) })
      #endif
    }
  }

  private static func hashUpTo3(_ input: Input) -> UInt64 {
    let count = input.count
    let low = input.byte(count - 1) | UInt32(count) << 8
    let high = input.byte(0) << 16 | input.byte(count / 2) << 24
    let secret = input.secretWord(0)
    let key = UInt32(truncatingIfNeeded: secret ^ secret >> 32)
    return avalanche64(UInt64(key ^ (low | high)))
  }

  private static func hashUpTo8(_ input: Input) -> UInt64 {
    let first = UInt64(input.halfWord(0))
    let last = UInt64(input.halfWord(input.count - 4))
    var hash = (input.secretWord(8) ^ input.secretWord(16)) ^ (last | first << 32)
    hash ^= rotated(hash, 49) ^ rotated(hash, 24)
    hash &*= Prime.mx2
    hash ^= (hash >> 35) &+ UInt64(input.count)
    hash &*= Prime.mx2
    return hash ^ hash >> 28
  }

  private static func hashUpTo16(_ input: Input) -> UInt64 {
    let low = input.secretWord(24) ^ input.secretWord(32) ^ input.word(0)
    let high = input.secretWord(40) ^ input.secretWord(48) ^ input.word(input.count - 8)
    return avalanche(UInt64(input.count) &+ low.byteSwapped &+ high &+ folded(low, high))
  }

  /// Pairs of 16 bytes, one from each end, the innermost first.
  private static func hashUpTo128(_ input: Input) -> UInt64 {
    var sum = UInt64(input.count) &* Prime.word1
    for round in stride(from: (input.count - 1) / 32, through: 0, by: -1) {
      sum &+= mixed(input, at: round * 16, secret: round * 32)
      sum &+= mixed(input, at: input.count - round * 16 - 16, secret: round * 32 + 16)
    }
    return avalanche(sum)
  }

  private static func hashUpTo240(_ input: Input) -> UInt64 {
    var sum = UInt64(input.count) &* Prime.word1
    for chunk in 0..<8 {
      sum &+= mixed(input, at: chunk * 16, secret: chunk * 16)
    }
    sum = avalanche(sum)
    for chunk in 8..<(input.count / 16) {
      sum &+= mixed(input, at: chunk * 16, secret: (chunk - 8) * 16 + 3)
    }
    sum &+= mixed(input, at: input.count - 16, secret: smallestSecret - 17)
    return avalanche(sum)
  }

  private static func mixed(_ input: Input, at offset: Int, secret: Int) -> UInt64 {
    folded(
      input.word(offset) ^ input.secretWord(secret),
      input.word(offset + 8) ^ input.secretWord(secret + 8))
  }

  /// The two halves of the 128-bit product, one xored into the other.
  static func folded(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.low ^ product.high
  }

  static func avalanche(_ value: UInt64) -> UInt64 {
    var hash = value
    hash ^= hash >> 37
    hash &*= Prime.mx1
    return hash ^ hash >> 32
  }

  private static func avalanche64(_ value: UInt64) -> UInt64 {
    var hash = value
    hash ^= hash >> 33
    hash &*= Prime.word2
    hash ^= hash >> 29
    hash &*= Prime.word3
    return hash ^ hash >> 32
  }

  private static func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 {
    value << bits | value >> (64 - bits)
  }
}
