import ArgumentParser
import Bytes

/// A number of bytes on the command line: `4096`, `512KiB`, `20MiB`, `1GiB`.
struct ByteCountArgument: ExpressibleByArgument {
  let bytes: UInt64

  init?(argument: String) {
    let text = String(decoding: ArgumentBytes.decode(argument), as: UTF8.self)
    let units: [(name: String, shift: UInt64)] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("", 0)]
    guard let unit = units.first(where: { text.hasSuffix($0.name) }),
      let number = UInt64(text.dropLast(unit.name.count)), number <= 1 << 30
    else { return nil }
    bytes = number << unit.shift
  }
}
