import ArgumentParser
import Bytes

/// A number of bytes on the command line, in powers of 1024: `4096`, `512K`, `20M`, `1G`, or `512KiB`, `20MiB`, `1GiB`.
struct ByteCountArgument: ExpressibleByArgument {
  let bytes: UInt64

  init?(argument: String) {
    let text = String(decoding: ArgumentBytes.decode(argument), as: UTF8.self)
    let digits = text.prefix { ("0"..."9").contains($0) }
    let shifts = ["": 0, "K": 10, "KiB": 10, "M": 20, "MiB": 20, "G": 30, "GiB": 30, "T": 40, "TiB": 40]
    guard let number = UInt64(digits), let shift = shifts[String(text.dropFirst(digits.count))],
      number <= UInt64(Int64.max) >> UInt64(shift)
    else { return nil }
    bytes = number << UInt64(shift)
  }
}
