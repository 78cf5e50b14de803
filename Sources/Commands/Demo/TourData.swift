import Bytes
import Glibc

/// Real records for the tour, from the machine on which it runs.
struct TourData {
  /// What the records are, in words.
  let source: String
  /// The records, sorted by key, each key once.
  let records: [(key: Key, value: [UInt8])]

  /// With fewer than this many packages known, the machine's files tell more.
  private static let fewest = 500
  /// The most records from the machine's files, and the largest file taken.
  private static let mostFiles = 20_000
  private static let largestFile = 64 << 10

  /// The packages that the system knows of; where it knows none, its files.
  static func gather(in directory: String, most: Int?) throws(CommandError) -> TourData {
    let packages = try packages(in: directory)
    let all = packages.count >= fewest ? packages : files()
    let source =
      packages.count >= fewest
      ? "the package index of this system (apt-cache dumpavail)" : "the files under /usr/share of this system"
    let sorted = all.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
    return TourData(source: source, records: Array(sorted.prefix(most ?? sorted.count)))
  }

  /// Every stanza of the package index, under NAME/VERSION. Of stanzas with the same name and version the last stays.
  private static func packages(in directory: String) throws(CommandError) -> [Key: [UInt8]] {
    let path = "\(directory)/available"
    defer { unlink(path) }
    guard
      let process = try? ChildProcess(
        "apt-cache", [Array("dumpavail".utf8)], output: .file(path), errors: .file("/dev/null"))
    else { return [:] }
    guard process.wait() == 0 else { return [:] }
    let input = try InputStream(opening: path)
    var found: [Key: [UInt8]] = [:]
    var stanza: [UInt8] = []
    while case .complete(let line) = try input.part(upTo: UInt8(ascii: "\n"), limit: Limits.valueBytes.rawValue) {
      if line.isEmpty {
        if let key = key(of: stanza) { found[key] = stanza }
        stanza = []
      } else {
        stanza += line + [UInt8(ascii: "\n")]
      }
    }
    if let key = key(of: stanza) { found[key] = stanza }
    return found
  }

  /// NAME/VERSION of a stanza; nil if it names neither.
  private static func key(of stanza: [UInt8]) -> Key? {
    var name: ArraySlice<UInt8>?
    var version: ArraySlice<UInt8>?
    for line in stanza.split(separator: UInt8(ascii: "\n")) {
      if line.starts(with: "Package: ".utf8) { name = line.dropFirst(9) }
      if line.starts(with: "Version: ".utf8) { version = line.dropFirst(9) }
    }
    guard let name, let version else { return nil }
    let key = Array(name) + Array("/".utf8) + Array(version)
    return key.count <= Limits.keyBytes.rawValue ? Key(key) : nil
  }

  /// Files of the system, under their paths.
  private static func files() -> [Key: [UInt8]] {
    var found: [Key: [UInt8]] = [:]
    var open = ["/usr/share"]
    while let directory = open.popLast(), found.count < mostFiles {
      for (name, isDirectory) in DirectoryTree.entries(directory) {
        let path = "\(directory)/\(name)"
        if isDirectory {
          open.append(path)
        } else if path.utf8.count <= Limits.keyBytes.rawValue, let bytes = content(path) {
          found[Key(path)] = bytes
        }
      }
    }
    return found
  }

  private static func content(_ path: String) -> [UInt8]? {
    var facts = stat()
    guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_size <= largestFile else { return nil }
    guard let input = try? InputStream(opening: path) else { return nil }
    return try? input.all(limit: largestFile)
  }
}
