import Bytes
import Table

extension FileSet {
  /// The record of a key that is alive at a version, if there is one; a tombstone where the current tier has one.
  ///
  /// History goes first: what it shows as alive is the answer, since its intervals are exact, and mostly its filters say
  /// that there is nothing. A read of the latest never gets so far.
  func get<Result>(
    _ key: UnsafeRawBufferPointer, at version: Version, _ body: (RecordView) -> Result
  ) throws(StoreError) -> Result? {
    let hash = KeyHash.hash(key)
    if !lives.isOver(at: version), let result = try historic(key, hash, version, body) { return result }
    for (index, run) in currentRuns[0].enumerated() where levels[0][index].spans(key) {
      switch try run.current(key, hash, version, body) {
      case .found(let result): return result
      case .absent: return nil
      case .older: break
      }
    }
    for level in 1..<levels.count where !levels[level].isEmpty {
      let files = levels[level]
      let at = Self.firstIndex(files) { file in file.maxKey.bytes.withRawBytes { compareBytes($0, key) >= 0 } }
      guard at < files.count else { continue }
      switch try currentRuns[level][at].current(key, hash, version, body) {
      case .found(let result): return result
      case .absent: return nil
      case .older: break
      }
    }
    return nil
  }

  private func historic<Result>(
    _ key: UnsafeRawBufferPointer, _ hash: UInt64, _ version: Version, _ body: (RecordView) -> Result
  ) throws(StoreError) -> Result? {
    var result: Result?
    try lives.visit(at: version) { (alive) throws(StoreError) in
      do throws(TableError) {
        return try alive.run.get(key, hash: hash, at: version) { view in
          guard view.to > version else { return false }
          result = body(view)
          return true
        } ?? false
      } catch {
        throw StoreError(error)
      }
    }
    return result
  }
}

/// What a current table says of a key at a version.
private enum Word<Result> {
  /// This is its record.
  case found(Result)
  /// No current record is; history may have one.
  case absent
  /// Older tables must be asked.
  case older
}

extension FileRun {
  @inline(__always)
  fileprivate func current<Result>(
    _ key: UnsafeRawBufferPointer, _ hash: UInt64, _ version: Version, _ body: (RecordView) -> Result
  ) throws(StoreError) -> Word<Result> {
    guard run.properties.minEdge <= version else { return .older }
    do throws(TableError) {
      // The table's only record of the key.
      return try run.get(key, hash: hash, at: .max) { view in
        view.version <= version ? .found(body(view)) : view.since <= version ? .absent : .older
      } ?? .older
    } catch {
      throw StoreError(error)
    }
  }
}
