import Bytes
import Table

extension FileSet {
  /// Sources over all tables that may hold keys from `lower` (included) to `upper` (excluded), the youngest first.
  func sources(
    from lower: Key? = nil, to upper: Key? = nil, isReverse: Bool, caching: Bool
  ) -> [RecordSource] {
    func isInside(_ file: TableFile) -> Bool {
      if let lower, file.maxKey < lower { return false }
      if let upper, file.minKey >= upper { return false }
      return true
    }
    var sources: [RecordSource] = []
    for file in levels[0] where isInside(file) {
      sources.append(LevelSource([file], isReverse: isReverse, caching: caching))
    }
    for files in levels.dropFirst() where !files.isEmpty {
      let start = lower.map { lower in Self.firstIndex(files) { $0.maxKey >= lower } } ?? 0
      let end = upper.map { upper in Self.firstIndex(files) { $0.minKey >= upper } } ?? files.count
      guard start < end else { continue }
      sources.append(LevelSource(files[start..<end], isReverse: isReverse, caching: caching))
    }
    return sources
  }

  /// The newest record of a key that is not newer than a version. Of a key's records, those in a younger table are the
  /// newer ones, so that the first hit is the answer.
  func get<Result>(
    _ key: UnsafeRawBufferPointer, at version: Version, _ body: (RecordView) -> Result
  ) throws(StoreError) -> Result? {
    let hash = KeyHash.hash(key)
    for file in levels[0] {
      if let result = try file.get(key, hash: hash, at: version, body) { return result }
    }
    for files in levels.dropFirst() where !files.isEmpty {
      let at = Self.firstIndex(files) { file in file.maxKey.bytes.withRawBytes { compareBytes($0, key) >= 0 } }
      guard at < files.count else { continue }
      if let result = try files[at].get(key, hash: hash, at: version, body) { return result }
    }
    return nil
  }
}

extension TableFile {
  /// The newest record of a key that is not newer than a version, if this table has one.
  func get<Result>(
    _ key: UnsafeRawBufferPointer, hash: UInt64, at version: Version, _ body: (RecordView) -> Result
  ) throws(StoreError) -> Result? {
    guard reader.mayContain(hash: hash), reader.properties.minVersion <= version else { return nil }
    do throws(TableError) {
      return try reader.get(key, hash: hash, at: version, body)
    } catch {
      throw StoreError(error)
    }
  }
}
