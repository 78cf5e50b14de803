import Bytes
public import Environment

/// A table, open for reading: its properties and its runs. Data blocks come through the cache.
///
/// May be used from any thread: nothing in it changes, and reads of the file carry their offset.
public final class TableReader: Sendable {
  /// What the table says about itself.
  public let properties: TableProperties
  /// The size of the file.
  public let fileBytes: UInt64
  /// The runs, in the order in which they lie in the file.
  public let runs: [TableRun]
  private let storage: TableStorage

  /// Opens a table and checks its footer, directory and properties; of the current tier also index and filter.
  public init(disk: any Disk, path: String, cache: BlockCache) throws(TableError) {
    let file: any DiskFile
    do throws(DiskError) {
      file = try disk.open(path, .read)
      fileBytes = try file.size()
    } catch {
      throw .io(error)
    }
    let footer = try Self.readFooter(file, fileBytes: fileBytes)
    properties = try Self.readProperties(footer, of: file)
    storage = TableStorage(file: file, cache: cache, tier: properties.tier)
    var runs: [TableRun] = []
    for entry in try Self.readDirectory(footer, of: file) { runs.append(try TableRun(entry, of: storage)) }
    self.runs = runs
    guard properties.isSum(of: runs.map(\.properties)), properties.tier == .history || runs.count <= 1 else {
      throw Self.corrupt(
        file, footer.directory.offset, "runs that add up to the table's properties", "\(runs.count) that don't")
    }
  }

  /// What the cache knows the table by.
  public var id: UInt64 { storage.id }

  /// Brings the table's blocks into the cache as long as it has room, so that its readers needn't wait for them. What
  /// can't be read is left for them to find.
  public func fillCache() {
    do throws(TableError) {
      for run in runs { try run.fillCache() }
    } catch {}
  }

  /// Where the table lies.
  public var path: String { storage.file.path }

  /// The bytes of indexes and filters that stay in memory as long as the table is open.
  public var residentBytes: Int { runs.reduce(0) { $0 + $1.residentBytes } }
}
