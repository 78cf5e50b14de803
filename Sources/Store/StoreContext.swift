import Bytes
import Environment
import Merkle
import Table

/// What a store and its jobs share.
struct StoreContext: Sendable {
  let disk: any Disk
  let layout: StoreLayout
  let options: StoreOptions
  let cache: BlockCache
  let manifest: Manifest
  let trash: Trash

  /// Where the tables of a job are made.
  func makeTables() -> TableMaker {
    TableMaker(disk: disk, layout: layout, options: options, nextNumber: manifest.nextNumber)
  }

  /// Writes tables with `body`. If they can't be made durable they are thrown away and written once more; if that fails
  /// as well, the error is fatal (DESIGN §5).
  func writingTables<Result>(
    _ body: (TableMaker) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    var isSecondAttempt = false
    while true {
      let maker = makeTables()
      do throws(StoreError) {
        return try body(maker)
      } catch {
        if let error = abandon(maker, after: error, isSecondAttempt: isSecondAttempt) { throw error }
        isSecondAttempt = true
      }
    }
  }

  /// Throws away what was written before an error. Gives the error that ends the job; nil if it should be tried once more.
  func abandon(_ maker: TableMaker, after error: StoreError, isSecondAttempt: Bool) -> StoreError? {
    // After a fatal error the manifest on the disk may name the files.
    if case .fatal = error { return error }
    maker.abandon()
    guard let cause = failedSync(error) else { return error }
    return isSecondAttempt ? .fatal(cause) : nil
  }

  /// The failed sync, if that is what an error is. A full disk may show only when a file is synced; that alone says
  /// nothing against the disk.
  private func failedSync(_ error: StoreError) -> DiskError? {
    guard case .io(let cause) = error, cause.operation.hasPrefix("sync"), !cause.isDiskFull else { return nil }
    return cause
  }

  /// Opens the tables that a job has finished, which checks what can be checked of them, and makes their names durable.
  func open(_ maker: TableMaker) throws(StoreError) -> [TableFile] {
    var files: [TableFile] = []
    for entry in maker.finished { files.append(try open(entry)) }
    if !files.isEmpty { try onDisk { () throws(DiskError) in try disk.syncDirectory(layout.directory) } }
    return files
  }

  /// Removes the files that nobody needs any more, and their blocks from the cache.
  func emptyTrash() { trash.empty(on: disk, cache) }

  /// Brings new tables into the cache as long as it has room, the current ones first; not what has just become history,
  /// which is merged before long.
  func fillCache(with files: [TableFile]) {
    for file in files where file.entry.tier == .current { file.reader.fillCache() }
    for file in files where file.entry.tier == .history && file.entry.level > 0 { file.reader.fillCache() }
  }

  /// Opens a table that the manifest names, which must be as the manifest says.
  func open(_ entry: TableEntry) throws(StoreError) -> TableFile {
    let path = layout.table(entry.number)
    let reader = try mapping { () throws(TableError) in try TableReader(disk: disk, path: path, cache: cache) }
    guard reader.fileBytes == entry.fileBytes, reader.properties.records == entry.records,
      reader.properties.tier == entry.tier, !reader.runs.isEmpty
    else {
      throw .corrupt(
        path: path, offset: 0, expected: "\(entry.records) \(entry.tier) records in \(entry.fileBytes) bytes",
        found: "\(reader.properties.records) \(reader.properties.tier) in \(reader.fileBytes)")
    }
    return TableFile(entry, reader: reader, trash: trash)
  }
}
