public import Bytes
public import Environment
public import Table

/// A snapshot's file, open for reading like a database.
///
/// May be used from any thread: nothing in it changes.
public final class SnapshotFile: Sendable {
  /// What the file says of itself. `SnapshotCheck` says whether that is true.
  public let statement: SnapshotStatement
  /// The signature under it.
  public let seal: SnapshotSeal
  private let table: TableReader

  /// Opens a file and checks what it says about its parts; not yet its records, root and signature.
  public init(disk: any Disk, path: String, cacheBytes: Int = 8 << 20) throws(SnapshotError) {
    let table = try onTable { () throws(TableError) in
      try TableReader(disk: disk, path: path, cache: BlockCache(byteBudget: cacheBytes))
    }
    (seal, statement) = try SnapshotFile.statement(of: table.properties, path: path, fileBytes: table.fileBytes)
    self.table = table
  }

  static func statement(
    of properties: TableProperties, path: String, fileBytes: UInt64
  ) throws(SnapshotError) -> (SnapshotSeal, SnapshotStatement) {
    guard let seal = properties.seal else { throw .notASnapshot(path: path) }
    let statement: SnapshotStatement
    do throws(ByteError) {
      statement = try SnapshotStatement(decoding: seal.statement)
    } catch {
      throw .damaged(path: path, offset: fileBytes, expected: "a statement on the content", found: "\(error)")
    }
    let tier = statement.hasHistory ? Tier.history : .current
    guard properties.tier == tier else {
      throw .damaged(path: path, offset: fileBytes, expected: "a table of tier \(tier)", found: "\(properties.tier)")
    }
    return (seal, statement)
  }

  /// Where the file lies.
  public var path: String { table.path }
  /// The size of the file.
  public var fileBytes: UInt64 { table.fileBytes }

  /// The version to read at: the newest, unless another one is asked for that the file shows.
  public func version(for wanted: Version?) throws(SnapshotError) -> Version {
    guard let wanted, wanted != statement.version else { return statement.version }
    guard statement.oldest <= wanted, wanted < statement.version else { throw .notInFile(wanted, statement) }
    return wanted
  }

  /// The record of a key that is alive at a version which the file shows; nil if there is none.
  public func get(_ key: Key, at version: Version) throws(SnapshotError) -> Record? {
    var found: Record?
    for run in table.runs {
      try key.bytes.withRawBytes { (bytes) throws(SnapshotError) in
        _ = try onTable { () throws(TableError) in
          try run.get(bytes, hash: KeyHash.hash(bytes), at: version) { view in
            if isAlive(view, at: version) { found = view.record }
          }
        }
      }
    }
    return found
  }

  /// The records alive at a version which the file shows, whose keys are at least `lower` and below `upper`, in key
  /// order or backwards.
  public func records(
    from lower: Key? = nil, to upper: Key? = nil, at version: Version, reverse: Bool = false
  ) -> SnapshotCursor {
    SnapshotCursor(table, from: lower, to: upper, reverse: reverse) { [self] in isAlive($0, at: version) }
  }

  /// Every record of the file, the newest of a key first. A file of changes also has tombstones.
  public func lifespans(from lower: Key? = nil, to upper: Key? = nil) -> SnapshotCursor {
    SnapshotCursor(table, from: lower, to: upper, reverse: false) { _ in true }
  }

  private func isAlive(_ view: RecordView, at version: Version) -> Bool {
    guard view.kind == .value, view.version <= version else { return false }
    return table.properties.tier == .current || version < view.to
  }
}

/// A walk over records of a snapshot's file.
public final class SnapshotCursor {
  private let cursor: TableCursor?
  private let tier: Tier
  private let lower: Key?
  private let upper: Key?
  private let isReverse: Bool
  private let isWanted: (RecordView) -> Bool
  private var hasBegun = false

  init(
    _ table: TableReader, from lower: Key?, to upper: Key?, reverse: Bool, _ isWanted: @escaping (RecordView) -> Bool
  ) {
    cursor = table.runs.first?.cursor(caching: false)
    tier = table.properties.tier
    self.lower = lower
    self.upper = upper
    isReverse = reverse
    self.isWanted = isWanted
  }

  /// The next record, or nil after the last.
  public func next() throws(SnapshotError) -> Lifespan? {
    var found: Lifespan?
    _ = try next { view, to in found = Lifespan(view.record, to: to) }
    return found
  }

  /// Lends the next record and the version that replaced it; false after the last.
  public func next(_ visit: (RecordView, Version) -> Void) throws(SnapshotError) -> Bool {
    guard let cursor else { return false }
    return try onTable { () throws(TableError) in
      while true {
        try step(cursor)
        guard cursor.isValid, isWithin(cursor.view) else { return false }
        if isWanted(cursor.view) { break }
      }
      visit(cursor.view, tier == .history ? cursor.view.to : .max)
      return true
    }
  }

  private func step(_ cursor: TableCursor) throws(TableError) {
    if hasBegun { return isReverse ? try cursor.previous() : try cursor.next() }
    hasBegun = true
    switch (isReverse, lower, upper) {
    case (false, let lower?, _): try lower.bytes.withRawBytes { (key) throws(TableError) in try cursor.seek(key, .max) }
    case (false, nil, _): try cursor.seekToFirst()
    case (true, _, let upper?):
      try upper.bytes.withRawBytes { (key) throws(TableError) in try cursor.seek(before: key, .max) }
    case (true, _, nil): try cursor.seekToLast()
    }
  }

  private func isWithin(_ view: RecordView) -> Bool {
    guard let bound = isReverse ? lower : upper else { return true }
    let order = bound.bytes.withRawBytes { compareBytes(view.key, $0) }
    return isReverse ? order >= 0 : order < 0
  }
}
