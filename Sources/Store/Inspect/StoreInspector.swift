public import Bytes
public import Environment
import Merkle
public import Table

/// Looks at the directory of a store that nobody has open, and changes nothing.
public struct StoreInspector {
  /// A table as the manifest has it.
  public struct Listed: Sendable {
    /// Where it lies.
    public let path: String
    /// Whether its records are current or history.
    public let tier: Tier
    /// The level of its tier.
    public let level: Int
    /// The size of the file.
    public let fileBytes: UInt64
    /// The number of records.
    public let records: UInt64
    /// The SHA-256 that the file must have.
    public let hash: [UInt8]
  }

  /// A record that a table holds.
  public struct Finding: Sendable {
    /// In which table.
    public let table: Listed
    /// The record.
    public let record: Record
    /// Of a current record the oldest version folded into it, of one in history the version that replaced it.
    public let edge: Version
  }

  /// Where the manifest lies.
  public let manifestPath: String
  /// The state beside the records.
  public let state: StoreState
  /// What of the past is retained.
  public let retention: Retention
  /// The tables: the current tier first, by level.
  public let tables: [Listed]
  private let disk: any Disk

  /// Reads the manifest of a directory.
  public init(disk: any Disk, directory: String) throws(StoreError) {
    self.disk = disk
    let layout = StoreLayout(directory: directory)
    let number = try layout.readCurrent(on: disk)
    manifestPath = layout.path(StoreLayout.manifestName(number))
    let content = try ManifestReader.read(manifestPath, on: disk).content
    state = content.state
    retention = content.retention
    tables = content.tables
      .sorted { ($0.tier.rawValue, $0.level, $0.number) < ($1.tier.rawValue, $1.level, $1.number) }
      .map {
        Listed(
          path: layout.table($0.number), tier: $0.tier, level: $0.level, fileBytes: $0.fileBytes, records: $0.records,
          hash: $0.hash)
      }
  }

  /// Whether a table's file has the SHA-256 that the manifest says.
  public func isWhole(_ table: Listed) throws(StoreError) -> Bool {
    let hash = SHA256()
    try onDisk { () throws(DiskError) in
      let file = try disk.open(table.path, .read)
      var at: UInt64 = 0
      while true {
        let part = try file.read(at: at, count: 1 << 20)
        if part.isEmpty { return }
        part.withRawBytes { hash.update($0) }
        at += UInt64(part.count)
      }
    }
    return hash.finish() == table.hash
  }

  /// Every record of a key, wherever it lies. Calls `damaged` for what can't be read, and goes on.
  public func find(_ key: Key, damaged: (StoreError) -> Void) -> [Finding] {
    var findings: [Finding] = []
    let cache = BlockCache(byteBudget: 0)
    for table in tables {
      do throws(TableError) {
        let reader = try TableReader(disk: disk, path: table.path, cache: cache)
        for run in reader.runs {
          let cursor = run.cursor(caching: false)
          try key.bytes.withRawBytes { (bytes) throws(TableError) in
            try cursor.seek(bytes, .max)
            while cursor.isValid, compareBytes(cursor.view.key, bytes) == 0 {
              let view = cursor.view
              findings.append(
                Finding(table: table, record: view.record, edge: table.tier == .current ? view.since : view.to))
              try cursor.next()
            }
          }
        }
      } catch {
        damaged(StoreError(error))
      }
    }
    return findings
  }
}
