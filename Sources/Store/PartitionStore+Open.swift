import Bytes
public import Environment
public import Table

extension PartitionStore {
  /// Makes a new store, durable on return. The directory may exist, and may hold what is left of an attempt that was
  /// interrupted; one that holds a store or tables is refused (`exists`).
  public static func create(
    disk: any Disk, directory: String, options: StoreOptions, cache: BlockCache, state: StoreState
  ) throws(StoreError) -> PartitionStore {
    let layout = StoreLayout(directory: directory)
    try onDisk { () throws(DiskError) in try disk.createDirectory(directory) }
    for name in try layout.list(on: disk) {
      switch StoreLayout.classify(name) {
      case .current, .table: throw .exists(path: layout.path(name))
      case .manifest, .temporary:
        try onDisk { () throws(DiskError) in try disk.remove(layout.path(name)) }
      case .foreign: break
      }
    }
    let content = ManifestContent(state: state, nextNumber: 2)
    try Manifest.create(content, number: 1, disk: disk, layout: layout)
    try onDisk { () throws(DiskError) in try disk.syncDirectory(layout.parent) }
    return try open(disk: disk, directory: directory, options: options, cache: cache)
  }

  /// Removes what the making of a store that was cut off has left in a directory, if there is one.
  public static func removeUnmade(disk: any Disk, directory: String) throws(StoreError) {
    guard disk.exists(directory) else { return }
    let layout = StoreLayout(directory: directory)
    let names = try layout.list(on: disk).filter { StoreLayout.classify($0) != .foreign }
    for name in names.sorted() {
      try onDisk { () throws(DiskError) in try disk.remove(layout.path(name)) }
    }
  }

  /// Opens a store as of its last flush and removes files that don't belong to it.
  public static func open(
    disk: any Disk, directory: String, options: StoreOptions, cache: BlockCache
  ) throws(StoreError) -> PartitionStore {
    let layout = StoreLayout(directory: directory)
    let number = try layout.readCurrent(on: disk)
    var image = try ManifestReader.read(layout.path(StoreLayout.manifestName(number)), on: disk)
    try removeUnfinished(from: image.content.nextNumber, disk: disk, layout: layout)
    image.content.nextNumber = max(image.content.nextNumber, firstFreeNumber(try layout.list(on: disk)))
    let manifest = try Manifest(disk: disk, layout: layout, options: options, number: number, image: image)
    let context = StoreContext(
      disk: disk, layout: layout, options: options, cache: cache, manifest: manifest, trash: Trash())
    var tables: [TableFile] = []
    for entry in image.content.tables { tables.append(try context.open(entry)) }
    switch FileSet.make(tables) {
    case .failure(let overlap):
      throw .corrupt(
        path: overlap.path, offset: 0, expected: "keys apart from those of its level", found: "an overlap")
    case .success(let files):
      try removeOrphans(manifest: manifest.number, tables: image.content.tables, disk: disk, layout: layout)
      return PartitionStore(
        context: context, files: files, state: image.content.state, retention: image.content.retention)
    }
  }

  /// A number above those of all files in the directory, whether they belong to the store or not.
  private static func firstFreeNumber(_ names: [String]) -> UInt64 {
    var free: UInt64 = 1
    for name in names {
      switch StoreLayout.classify(name) {
      case .manifest(let number), .table(let number): free = max(free, number &+ 1)
      case .current, .temporary, .foreign: break
      }
    }
    return free
  }

  /// Removes what jobs left whose outputs no edit names: on a full disk that is the room which a new manifest needs. Other
  /// orphans must stay until the edit that made them such is known to be durable.
  private static func removeUnfinished(from number: UInt64, disk: any Disk, layout: StoreLayout) throws(StoreError) {
    for name in try layout.list(on: disk) {
      guard case .table(let found) = StoreLayout.classify(name), found >= number else { continue }
      try onDisk { () throws(DiskError) in try disk.remove(layout.path(name)) }
    }
  }

  private static func removeOrphans(
    manifest: UInt64, tables: [TableEntry], disk: any Disk, layout: StoreLayout
  ) throws(StoreError) {
    let live = Set(tables.map(\.number))
    for name in try layout.list(on: disk) {
      let isOrphan: Bool
      switch StoreLayout.classify(name) {
      case .current, .foreign: isOrphan = false
      case .temporary: isOrphan = true
      case .manifest(let number): isOrphan = number != manifest
      case .table(let number): isOrphan = !live.contains(number)
      }
      if isOrphan { try onDisk { () throws(DiskError) in try disk.remove(layout.path(name)) } }
    }
  }

  /// Removes the store's files and its directory. No job may be running, and nothing of the store be used afterwards.
  public func destroy() throws(StoreError) {
    let layout = context.layout
    let disk = context.disk
    let names = try layout.list(on: disk)
    try onDisk { () throws(DiskError) in
      // First, so that what an interruption leaves is no store.
      if disk.exists(layout.current) { try disk.remove(layout.current) }
      for name in names {
        switch StoreLayout.classify(name) {
        case .current, .foreign: break
        case .manifest, .table, .temporary: try disk.remove(layout.path(name))
        }
      }
      try disk.remove(layout.directory)
      try disk.syncDirectory(layout.parent)
    }
  }
}
