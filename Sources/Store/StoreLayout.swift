import Bytes
import Environment
import Table

/// The names of the files in a store's directory.
struct StoreLayout: Sendable {
  let directory: String

  var current: String { directory + "/CURRENT" }

  /// The directory in which the store's own is.
  var parent: String {
    directory.lastIndex(of: "/").map { $0 == directory.startIndex ? "/" : String(directory[..<$0]) } ?? "."
  }

  func path(_ name: String) -> String { directory + "/" + name }

  func table(_ number: UInt64) -> String { path(Self.padded(number) + ".sst") }

  static func manifestName(_ number: UInt64) -> String { "manifest-" + padded(number) }

  private static func padded(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  /// What a name in the directory is for.
  enum Name: Equatable {
    case current
    case manifest(UInt64)
    case table(UInt64)
    /// The new content of a file that was being replaced.
    case temporary
    /// Nothing of the store's; left alone.
    case foreign
  }

  static func classify(_ name: String) -> Name {
    if name == "CURRENT" { return .current }
    if name == "CURRENT.tmp" { return .temporary }
    if name.hasSuffix(".sst"), let number = UInt64(name.dropLast(4)), padded(number) + ".sst" == name {
      return .table(number)
    }
    if name.hasPrefix("manifest-"), let number = UInt64(name.dropFirst(9)), manifestName(number) == name {
      return .manifest(number)
    }
    return .foreign
  }

  /// The content of CURRENT: the manifest's name, a space, the CRC-32C of the name in hexadecimal, a newline.
  static func currentContent(_ manifest: String) -> [UInt8] {
    Array("\(manifest) \(hexadecimal(CRC32C.checksum(Array(manifest.utf8))))\n".utf8)
  }

  /// The number of the manifest that CURRENT names.
  func readCurrent(on disk: any Disk) throws(StoreError) -> UInt64 {
    // What is longer names none.
    let bytes = try onDisk { () throws(DiskError) in try disk.open(current, .read).read(at: 0, count: 4096) }
    let name = String(decoding: bytes.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
    guard case .manifest(let number) = Self.classify(name), Self.currentContent(name) == bytes else {
      throw .corrupt(
        path: current, offset: 0, expected: "a manifest's name and its checksum",
        found: Escaping.text(Array(bytes.prefix(64))))
    }
    return number
  }

  /// The names in the directory.
  func list(on disk: any Disk) throws(StoreError) -> [String] {
    try onDisk { () throws(DiskError) in try disk.list(directory) }
  }
}
