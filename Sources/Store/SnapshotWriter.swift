public import Bytes
public import Environment
public import Table

/// Builds a store from a stream of records: how a replica takes over a snapshot. Blocking; for one thread at a time.
///
/// The directory may be new, or that of a store, which then stays what it is until `finish` switches CURRENT; no job of
/// that store may run meanwhile, and it must be opened anew afterwards. A writer that isn't finished leaves tables that
/// the next opening of the directory removes.
public final class SnapshotWriter {
  private let disk: any Disk
  private let layout: StoreLayout
  private let options: StoreOptions
  private var nextNumber: UInt64 = 1
  private var current: (number: UInt64, writer: TableWriter)?
  private var tables: [TableEntry] = []

  /// Begins a snapshot in a directory, which is made if it doesn't exist.
  public init(disk: any Disk, directory: String, options: StoreOptions) throws(StoreError) {
    self.disk = disk
    self.options = options
    layout = StoreLayout(directory: directory)
    try onDisk { () throws(DiskError) in
      try disk.createDirectory(directory)
      try disk.syncDirectory(layout.parent)
    }
    for name in try layout.list(on: disk) {
      switch StoreLayout.classify(name) {
      case .manifest(let number), .table(let number): nextNumber = max(nextNumber, number + 1)
      case .current, .temporary, .foreign: break
      }
    }
  }

  /// Appends a record; they come in record order.
  public func add(_ record: Record) throws(StoreError) {
    try record.withView { (view) throws(StoreError) in try add(view) }
  }

  /// Appends a record, which is copied.
  public func add(_ record: RecordView) throws(StoreError) {
    if let open = current, open.writer.fileBytes >= UInt64(options.targetFileBytes), !open.writer.endsWith(record.key) {
      try finishTable()
    }
    let writer: TableWriter
    if let current { writer = current.writer } else { writer = try beginTable() }
    try mapping { () throws(TableError) in try writer.add(record) }
  }

  private func beginTable() throws(StoreError) -> TableWriter {
    let number = nextNumber
    nextNumber += 1
    let writer = try mapping { () throws(TableError) in
      try TableWriter(disk: disk, path: layout.table(number), options: options.table)
    }
    current = (number, writer)
    return writer
  }

  private func finishTable() throws(StoreError) {
    guard let open = current else { return }
    let (properties, fileBytes) = try mapping { () throws(TableError) in try open.writer.finish() }
    tables.append(
      TableEntry(number: open.number, level: 0, fileBytes: fileBytes, records: properties.records))
    current = nil
  }

  /// Makes the snapshot the directory's store, durable on return.
  public func finish(state: StoreState) throws(StoreError) {
    try finishTable()
    try onDisk { () throws(DiskError) in try disk.syncDirectory(layout.directory) }
    // The first level that can hold them all: they lie apart.
    let bytes = tables.reduce(0) { $0 + $1.fileBytes }
    var level = 1
    while bytes > options.capacity(ofLevel: level) { level += 1 }
    for at in tables.indices { tables[at].level = level }
    let content = ManifestContent(tables: tables, state: state, nextNumber: nextNumber + 1)
    try Manifest.create(content, number: nextNumber, disk: disk, layout: layout)
  }

  /// Removes what was written so far.
  public func abandon() {
    current?.writer.abandon()
    current = nil
    for table in tables { try? disk.remove(layout.table(table.number)) }
    tables = []
  }
}
