import ArgumentParser
import Bytes
import CShims
import Glibc

/// One argument of the command line, byte for byte.
///
/// The parser of arguments works on strings, which can't hold every byte and which join characters (`=` and a
/// following accent become one). So each byte from 0x80 on travels through it as a scalar of a private plane,
/// U+10FF00 plus the byte, and comes back here; U+10FF00 alone stands for no bytes at all, since the parser takes an
/// empty value for none.
public struct ArgumentBytes: ExpressibleByArgument, Hashable, Sendable {
  /// The argument as the system gave it.
  public let bytes: [UInt8]

  /// An argument that the parser hands on, in the form that `encode` gave it.
  public init(argument: String) {
    self.bytes = ArgumentBytes.decode(argument)
  }

  /// An argument of exactly these bytes.
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The argument as a string, for names of files and hosts.
  public var text: String { String(decoding: bytes, as: UTF8.self) }
  /// The argument as a key.
  public var key: Key { Key(bytes) }
  public var defaultValueDescription: String { text }

  private static let emptyMark: Unicode.Scalar = "\u{10FF00}"

  /// The form of raw bytes in which they pass through the parser.
  public static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var scalars = String.UnicodeScalarView()
    for byte in bytes {
      let code = byte < 0x80 ? UInt32(byte) : emptyMark.value + UInt32(byte)
      if let scalar = Unicode.Scalar(code) { scalars.append(scalar) }
    }
    if scalars.isEmpty { scalars.append(emptyMark) }
    return String(scalars)
  }

  /// The bytes behind a string that went through the parser.
  public static func decode(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      if scalar == emptyMark { continue }
      if scalar > emptyMark {
        bytes.append(UInt8(truncatingIfNeeded: scalar.value))
      } else {
        bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      }
    }
    return bytes
  }
}

extension ArgumentBytes {
  /// The arguments of this process after its name, encoded for the parser.
  static func ofThisProcess() -> [String] {
    var arguments: [String] = []
    // SAFETY: the C library keeps that many NUL-terminated strings alive, unchanged, for the life of the process.
    for index in 1..<max(1, kv_argument_count()) {
      guard let argument = kv_argument(index) else { break }
      let length = strlen(argument)
      let bytes = UnsafeRawBufferPointer(start: argument, count: length)
      arguments.append(encode(bytes))
    }
    return joiningValues(arguments)
  }

  /// Joins options whose value may look like an option (`--at -5m`, `--prefix -q`) with it: `--at=-5m`.
  static func joiningValues(_ arguments: [String]) -> [String] {
    var joined: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--" { return joined + [argument] + rest }
      if argument.hasSuffix("="), takesAnything.contains(String(argument.dropLast())) {
        joined.append(argument + encode([]))
      } else if takesAnything.contains(argument), let value = rest.popFirst() {
        joined.append(argument + "=" + value)
      } else {
        joined.append(argument)
      }
    }
    return joined
  }

  private static let takesAnything = ["--at", "--after", "--before", "--since", "--prefix", "--exec"]
}
