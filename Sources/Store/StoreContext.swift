import Bytes
import Environment
import Table

/// What a store and its jobs share.
struct StoreContext: Sendable {
  let disk: any Disk
  let layout: StoreLayout
  let options: StoreOptions
  let cache: BlockCache
  let manifest: Manifest
  let trash: Trash

  /// Writes tables with `body`, which is given a list to note each file that it begins. If the tables can't be made
  /// durable they are thrown away and written once more; if that fails as well, the error is fatal (DESIGN §5).
  func writingTables<Result>(
    _ body: (inout [String]) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    do throws(StoreError) {
      return try attempt(body)
    } catch {
      guard failedSync(error) != nil else { throw error }
    }
    do throws(StoreError) {
      return try attempt(body)
    } catch {
      if let cause = failedSync(error) { throw .fatal(cause) }
      throw error
    }
  }

  private func attempt<Result>(
    _ body: (inout [String]) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    var begun: [String] = []
    do throws(StoreError) {
      return try body(&begun)
    } catch {
      // After a fatal error the manifest on the disk may name the files.
      if case .fatal = error { throw error }
      for path in begun { try? disk.remove(path) }
      throw error
    }
  }

  /// The failed sync, if that is what an error is. A full disk may show only when a file is synced; that alone says
  /// nothing against the disk.
  private func failedSync(_ error: StoreError) -> DiskError? {
    guard case .io(let cause) = error, cause.operation.hasPrefix("sync"), !cause.isDiskFull else { return nil }
    return cause
  }

  /// Begins a table.
  func beginTable(_ begun: inout [String]) throws(StoreError) -> (number: UInt64, writer: TableWriter) {
    let number = manifest.nextNumber()
    let path = layout.table(number)
    begun.append(path)
    return try mapping { () throws(TableError) in
      (number, try TableWriter(disk: disk, path: path, options: options.table))
    }
  }

  /// Finishes a table and opens it, which checks what can be checked of it.
  func finishTable(_ number: UInt64, _ writer: TableWriter, level: Int) throws(StoreError) -> TableFile {
    let (properties, fileBytes) = try mapping { () throws(TableError) in try writer.finish() }
    let entry = TableEntry(number: number, level: level, fileBytes: fileBytes, records: properties.records)
    return try open(entry)
  }

  /// Opens a table that the manifest names, which must be as the manifest says.
  func open(_ entry: TableEntry) throws(StoreError) -> TableFile {
    let path = layout.table(entry.number)
    let reader = try mapping { () throws(TableError) in try TableReader(disk: disk, path: path, cache: cache) }
    guard reader.fileBytes == entry.fileBytes, reader.properties.records == entry.records else {
      throw .corrupt(
        path: path, offset: 0, expected: "\(entry.records) records in \(entry.fileBytes) bytes",
        found: "\(reader.properties.records) in \(reader.fileBytes)")
    }
    return TableFile(entry, reader: reader, trash: trash)
  }

  /// Makes the names of new tables durable.
  func syncDirectory() throws(StoreError) {
    try onDisk { () throws(DiskError) in try disk.syncDirectory(layout.directory) }
  }
}
