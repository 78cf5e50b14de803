import Bytes
import Environment
import Merkle
import Table

/// Makes the new tables of one job or snapshot: gives each its number and takes down what the manifest says of it.
final class TableMaker {
  let options: StoreOptions
  private let disk: any Disk
  private let layout: StoreLayout
  private let nextNumber: () -> UInt64
  /// The paths of all files that were begun.
  private(set) var begun: [String] = []
  /// The tables that are finished.
  private(set) var finished: [TableEntry] = []
  /// The sum of the digests of all finished tables.
  private(set) var digest = RecordDigest.zero

  init(disk: any Disk, layout: StoreLayout, options: StoreOptions, nextNumber: @escaping () -> UInt64) {
    self.disk = disk
    self.layout = layout
    self.options = options
    self.nextNumber = nextNumber
  }

  /// A table under construction.
  struct Draft {
    let number: UInt64
    let level: Int
    let writer: TableWriter
    let hash: SHA256
  }

  /// Begins a table.
  func begin(_ tier: Tier, level: Int) throws(StoreError) -> Draft {
    let number = nextNumber()
    let path = layout.table(number)
    begun.append(path)
    let hash = SHA256()
    let writer = try mapping { () throws(TableError) in
      try TableWriter(disk: disk, path: path, options: options.table, tier: tier, observer: hash.update)
    }
    return Draft(number: number, level: level, writer: writer, hash: hash)
  }

  /// Makes a table durable; its directory is the caller's to sync.
  func finish(_ draft: Draft) throws(StoreError) {
    let (properties, fileBytes) = try mapping { () throws(TableError) in try draft.writer.finish() }
    digest.add(properties.digest)
    finished.append(
      TableEntry(
        number: draft.number, tier: properties.tier, level: draft.level, fileBytes: fileBytes,
        records: properties.records, hash: draft.hash.finish()))
  }

  /// Removes everything that was begun. What can't be removed is an orphan, which the next opening removes.
  func abandon() {
    for path in begun { try? disk.remove(path) }
    begun = []
    finished = []
  }
}
