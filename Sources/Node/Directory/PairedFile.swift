import Bytes
import Environment

/// A small file without which a node is nothing, kept twice, each time behind its checksum: where one of the two is
/// damaged or gone, the other counts.
struct PairedFile {
  let path: String
  let disk: any Disk
  /// Whether bytes that fit their checksum are what the file is for: another of the node's files may lie in its place.
  let isExpected: @Sendable ([UInt8]) -> Bool
  /// Where it is kept again.
  var copy: String { path + ".copy" }

  /// What is there.
  enum Content {
    /// Neither of the two.
    case missing
    /// None that fits its checksum, and is what it should be.
    case damaged
    /// The bytes, of the file itself where that is sound.
    case found([UInt8])
  }

  init(_ path: String, on disk: any Disk, isExpected: @escaping @Sendable ([UInt8]) -> Bool = { _ in true }) {
    self.path = path
    self.disk = disk
    self.isExpected = isExpected
  }

  /// Replaces both, the copy last: where a crash comes between, the file counts.
  func replace(with bytes: [UInt8]) throws(DiskError) {
    let file = Checked.wrap(bytes)
    try disk.replace(path, with: file)
    try disk.replace(copy, with: file)
  }

  /// Reads what counts. Throws where the file can't be read, and its copy is of no help.
  func read() throws(DiskError) -> Content {
    let file = Result { () throws(DiskError) in try content(of: path) }
    if case .success(.found) = file { return try file.get() }
    if case .found(let bytes)? = try? content(of: copy) { return .found(bytes) }
    return try file.get()
  }

  /// What was found of the two.
  enum Condition: Equatable {
    case sound
    /// These were not what they should be, and were written anew.
    case mended([String])
    /// Neither is sound; nothing was changed.
    case lost
  }

  /// Writes anew whichever of the two isn't what counts.
  func mend() throws(DiskError) -> Condition {
    guard case .found(let bytes) = try read() else { return .lost }
    var wrong: [String] = []
    for place in [path, copy] {
      switch try? content(of: place) {
      case .found(bytes): continue
      // What a crash or an older release leaves: a copy that is older, or none.
      case .found: break
      case .missing where place == copy: break
      case .missing, .damaged, nil: wrong.append(place)
      }
      try disk.replace(place, with: Checked.wrap(bytes))
    }
    return wrong.isEmpty ? .sound : .mended(wrong)
  }

  private func content(of place: String) throws(DiskError) -> Content {
    do throws(DiskError) {
      let file = try disk.contents(of: place, limit: Limits.catalogFileBytes.rawValue)
      guard let bytes = Checked.unwrap(file), isExpected(bytes) else { return .damaged }
      return .found(bytes)
    } catch {
      guard error.isNotFound else { throw error }
      return .missing
    }
  }
}
