import Bytes
import Environment
import Table

/// Makes another store of the same tables, which the two share by hard links where the file system has them: how a
/// partition is cut in half without being copied. `run` blocks: it is for a worker thread.
public struct LinkJob: Sendable {
  let context: StoreContext
  let files: FileSet
  let retention: Retention
  let layout: StoreLayout
  let state: StoreState

  /// Makes the store, durable on return. What is in the directory already, an attempt that was interrupted, is removed.
  public func run() throws(StoreError) {
    let disk = context.disk
    try onDisk { () throws(DiskError) in
      try disk.createDirectory(layout.directory)
      // First, so that what an interruption leaves is no store.
      if disk.exists(layout.current) { try disk.remove(layout.current) }
    }
    for name in try layout.list(on: disk) {
      switch StoreLayout.classify(name) {
      case .current, .foreign: break
      case .manifest, .table, .temporary: try onDisk { () throws(DiskError) in try disk.remove(layout.path(name)) }
      }
    }
    for file in files.all {
      try onDisk { () throws(DiskError) in
        try disk.linkOrCopy(context.layout.table(file.entry.number), to: layout.table(file.entry.number))
      }
    }
    try onDisk { () throws(DiskError) in try disk.syncDirectory(layout.directory) }
    let number = (files.all.map(\.entry.number).max() ?? 0) + 1
    let content = ManifestContent(
      tables: files.all.map(\.entry), state: state, retention: retention, nextNumber: number + 1)
    try Manifest.create(content, number: number, disk: disk, layout: layout)
    try onDisk { () throws(DiskError) in try disk.syncDirectory(layout.parent) }
  }
}

extension PartitionStore {
  /// A job that makes another store of this one's tables, with another state. nil while records wait in memory: a flush
  /// brings them to tables.
  public func linkJob(to directory: String, state: StoreState) -> LinkJob? {
    guard frozen == nil, memtable.isEmpty else { return nil }
    return LinkJob(
      context: context, files: files, retention: retention, layout: StoreLayout(directory: directory), state: state)
  }
}
