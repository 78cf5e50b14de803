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
  private let numbers: Numbers
  private let maker: TableMaker
  private let folding: FoldingWriter

  private final class Numbers {
    var next: UInt64 = 1
    func take() -> UInt64 {
      defer { next += 1 }
      return next
    }
  }

  /// Begins a snapshot in a directory, which is made if it doesn't exist.
  public init(disk: any Disk, directory: String, options: StoreOptions) throws(StoreError) {
    self.disk = disk
    self.options = options
    layout = StoreLayout(directory: directory)
    let numbers = Numbers()
    self.numbers = numbers
    maker = TableMaker(disk: disk, layout: layout, options: options, nextNumber: numbers.take)
    folding = FoldingWriter(
      maker, level: 0, cutBytes: UInt64(options.targetFileBytes), retention: .everything, mayBeElsewhere: { _ in false }
    )
    try onDisk { () throws(DiskError) in
      try disk.createDirectory(directory)
      try disk.syncDirectory(layout.parent)
    }
    for name in try layout.list(on: disk) {
      switch StoreLayout.classify(name) {
      case .manifest(let number), .table(let number): numbers.next = max(numbers.next, number + 1)
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
    try folding.add(record)
  }

  /// Makes the snapshot the directory's store, durable on return.
  public func finish(state: StoreState, retention: Retention = .everything) throws(StoreError) {
    try folding.finish()
    try onDisk { () throws(DiskError) in try disk.syncDirectory(layout.directory) }
    var tables = maker.finished
    // The first level that can hold them all: they lie apart.
    let bytes = tables.reduce(0) { $0 + ($1.tier == .current ? $1.fileBytes : 0) }
    var level = 1
    while bytes > options.capacity(ofLevel: level) { level += 1 }
    for at in tables.indices where tables[at].tier == .current { tables[at].level = level }
    let number = numbers.take()
    let content = ManifestContent(tables: tables, state: state, retention: retention, nextNumber: numbers.next)
    try Manifest.create(content, number: number, disk: disk, layout: layout)
  }

  /// Removes what was written so far.
  public func abandon() {
    maker.abandon()
  }
}
