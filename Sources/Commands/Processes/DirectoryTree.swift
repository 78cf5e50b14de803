import Glibc

/// Directories with all that is in them.
enum DirectoryTree {
  /// Makes a new directory, mode 0700, in the place for temporary files.
  static func makeTemporary(_ prefix: String) throws(CommandError) -> String {
    let place = ProcessFacts.environment["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
    var template = Array("\(place)/\(prefix)XXXXXX".utf8CString)
    // SAFETY: mkdtemp replaces the six X in the NUL-terminated array and gives the array back.
    guard mkdtemp(&template) != nil else {
      throw .file(operation: "create", path: "\(place)/\(prefix)XXXXXX", code: errno)
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Removes a directory and all below it, as far as that is allowed. Symbolic links are removed, not followed.
  static func remove(_ path: String) {
    for (name, isDirectory) in entries(path) {
      let child = "\(path)/\(name)"
      if isDirectory { remove(child) } else { unlink(child) }
    }
    rmdir(path)
  }

  /// The names in a directory, sorted, and which of them are directories; empty if it can't be read.
  static func entries(_ path: String) -> [(name: String, isDirectory: Bool)] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var found: [(name: String, isDirectory: Bool)] = []
    while let entry = readdir(directory) {
      // SAFETY: d_name is a NUL-terminated string within the entry, which lives until the next readdir.
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { found.append((name, isRealDirectory("\(path)/\(name)"))) }
    }
    return found.sorted { $0.name < $1.name }
  }

  /// Whether nothing is in a directory.
  static func isEmpty(_ path: String) -> Bool { entries(path).isEmpty }

  private static func isRealDirectory(_ path: String) -> Bool {
    var facts = stat()
    return lstat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
  }
}
