import Bytes
import Table

// SAFETY: keys and records are lent for the duration of a call, by the caller and by the blocks that `TableRun.get` holds.
extension FileSet {
  /// Lends the record of a key that is alive at a version to `body`; a tombstone where the current tier has one. False if
  /// there is none.
  ///
  /// History goes first: what it shows as alive is the answer, since its intervals are exact, and mostly its filters say
  /// that there is nothing. A read of the latest never gets so far.
  func get(
    _ key: UnsafeRawBufferPointer, at version: Version, _ body: (RecordView) -> Void
  ) throws(StoreError) -> Bool {
    let hash = KeyHash.hash(key)
    if !lives.isOver(at: version), try historic(key, hash, version, body) { return true }
    for (index, run) in currentRuns[0].enumerated() where levels[0][index].spans(key) {
      let word = try run.current(key, hash, version, body)
      if word != .older { return word == .found }
    }
    for level in 1..<levels.count where !levels[level].isEmpty {
      let files = levels[level]
      let at = Self.firstIndex(files) { file in file.maxKey.bytes.withRawBytes { compareBytes($0, key) >= 0 } }
      guard at < files.count else { continue }
      let word = try currentRuns[level][at].current(key, hash, version, body)
      if word != .older { return word == .found }
    }
    return false
  }

  private func historic(
    _ key: UnsafeRawBufferPointer, _ hash: UInt64, _ version: Version, _ body: (RecordView) -> Void
  ) throws(StoreError) -> Bool {
    var probe = RunProbe(hash: hash)
    func look() throws(TableError) -> Bool {
      try probe.look(for: key, at: version) { view in
        guard view.to > version else { return false }
        body(view)
        return true
      }
    }
    let isFound = try lives.visit(at: version) { (alive) throws(StoreError) in
      do throws(TableError) {
        if probe.isFull, try look() { return true }
        try probe.add(alive.run)
        return false
      } catch {
        throw StoreError(error)
      }
    }
    if isFound { return true }
    do throws(TableError) { return try look() } catch { throw StoreError(error) }
  }
}

/// What a current table says of a key at a version.
private enum Word {
  /// Its record is the answer.
  case found
  /// No current record is; history may have one.
  case absent
  /// Older tables must be asked.
  case older
}

extension FileRun {
  @inline(__always)
  fileprivate func current(
    _ key: UnsafeRawBufferPointer, _ hash: UInt64, _ version: Version, _ body: (RecordView) -> Void
  ) throws(StoreError) -> Word {
    guard run.properties.minEdge <= version else { return .older }
    var word = Word.older
    do throws(TableError) {
      // The table's only record of the key.
      _ = try run.get(key, hash: hash, at: .max) { view in
        if view.version <= version {
          word = .found
          body(view)
        } else if view.since <= version {
          word = .absent
        }
      }
    } catch {
      throw StoreError(error)
    }
    return word
  }
}
