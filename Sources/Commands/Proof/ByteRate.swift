import ArgumentParser

/// A number of bytes a second on the command line: `500K`, `20M`, `1G`, in powers of 1024, or a plain number.
struct ByteRate: ExpressibleByArgument {
  let bytesPerSecond: UInt64

  init?(argument: String) {
    var digits = argument[...]
    var shift: UInt64 = 0
    let units: [Character: UInt64] = ["K": 10, "M": 20, "G": 30]
    if let unit = digits.last, let found = units[unit] {
      shift = found
      digits = digits.dropLast()
    }
    guard let number = UInt64(digits), number > 0, number <= UInt64.max >> 30 else { return nil }
    bytesPerSecond = number << shift
  }
}
