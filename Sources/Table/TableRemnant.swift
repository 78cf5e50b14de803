import Bytes
public import Environment

/// What an interrupted writer left of a table: the data blocks from its beginning on, as far as they are whole, sound and
/// in order. Nothing is believed of the file. Blocking; for one thread at a time.
///
/// SAFETY: views are lent to the visitor for the duration of a call; the block that they come from is held until after it.
public final class TableRemnant {
  /// Where the block begins that was read last.
  public private(set) var offset: UInt64 = 0
  private let file: any DiskFile
  private let fileBytes: UInt64
  private let tier: Tier
  private var order: AuditedOrder
  private var block: Block?
  private var end: UInt64 = 0

  /// Opens the file, which must exist. No block is read yet.
  public init(disk: any Disk, path: String, tier: Tier) throws(TableError) {
    do throws(DiskError) {
      file = try disk.open(path, .read)
      fileBytes = try file.size()
    } catch {
      throw .io(error)
    }
    self.tier = tier
    order = AuditedOrder(tier: tier, file: file)
  }

  /// Reads the next block; false where something else follows, or the end, for good. Throws only what the disk refuses.
  public func next() throws(TableError) -> Bool {
    block = nil
    do throws(TableError) {
      guard let handle = try handle() else { return false }
      let next = try Block(handle, type: .data, tier: tier, of: file)
      try next.forEachRecord { (view, _) throws(TableError) in _ = try order.follow(view, in: handle) }
      (block, offset, end) = (next, handle.offset, handle.end)
      return true
    } catch .io(let error) {
      throw .io(error)
    } catch {
      return false
    }
  }

  /// Lends every record of the block that was read last.
  public func visit(_ body: (RecordView) throws(TableError) -> Void) throws(TableError) {
    try block?.forEachRecord { (view, _) throws(TableError) in try body(view) }
  }

  /// Where the block behind the last one lies by its header; nil where no data block can be.
  private func handle() throws(TableError) -> BlockHandle? {
    let header: [UInt8]
    do throws(DiskError) {
      header = try file.read(at: end, count: TableFormat.blockHeaderBytes)
    } catch {
      throw .io(error)
    }
    var reader = ByteReader(header)
    guard (try? reader.u32()) != nil, let payload = try? reader.u32(), payload <= TableFormat.maximumPayloadBytes
    else { return nil }
    let length = UInt32(TableFormat.blockHeaderBytes) + payload
    return UInt64(length) <= fileBytes - end ? BlockHandle(offset: end, length: length) : nil
  }
}
