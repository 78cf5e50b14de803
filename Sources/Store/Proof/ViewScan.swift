import Bytes
public import Merkle

/// What a view's disk was found to hold.
public struct ViewDigest: Sendable {
  /// The sum of each slice's records; nil where some can't be read: then nothing is known.
  public let leaves: [RecordSum]?
  /// The number of records in them.
  public let records: UInt64
  /// The bytes of their keys and values.
  public let bytes: UInt64
  /// What is not as it must be.
  public let damage: [StoreDamage]
}

/// Reads all of a view from the disk, slice of work by slice of work: the files against their SHA-256, then the records,
/// into the sums of the slices that they belong to (DESIGN §8).
///
/// SAFETY: Sendable, but for one thread at a time: whoever drives it calls `step` only after the last call has returned.
/// The leaves are its own, from `init` to `deinit`; a slice is checked to be one of them.
public final class ViewScan: @unchecked Sendable {
  /// How far a scan is.
  public struct Progress: Sendable {
    /// The bytes read so far, and about how many there will be.
    public let done: UInt64
    public let total: UInt64
    /// The result, once there is one.
    public let digest: ViewDigest?
  }

  private let view: StoreView
  private let scope: LifeScope
  private let slice: @Sendable (UnsafeRawBufferPointer) -> Int
  private let files: FileCheck
  private var walk: LifeWalk?
  private let hasher = RecordHasher()
  private let leaves: UnsafeMutableBufferPointer<RecordSum>
  private var damage: [StoreDamage] = []
  private var filesDone = false
  private var doneBytes: UInt64 = 0
  private var records: UInt64 = 0
  private var recordBytes: UInt64 = 0

  /// A scan of the records of a view that lie in a scope.
  /// - Parameters:
  ///   - slices: the number of slices.
  ///   - slice: the slice of a key, below `slices`.
  public init(
    _ view: StoreView, _ scope: LifeScope, slices: Int, slice: @escaping @Sendable (UnsafeRawBufferPointer) -> Int
  ) {
    self.view = view
    self.scope = scope
    self.slice = slice
    files = FileCheck(view)
    leaves = .allocate(capacity: slices)
    leaves.initialize(repeating: RecordSum())
  }

  deinit { leaves.deallocate() }

  /// Reads on for about so many bytes. Blocking.
  public func step(bytes: Int) -> Progress {
    var left = bytes
    while left > 0, !filesDone {
      if let read = files.advance() {
        left -= max(1, read)
        doneBytes += UInt64(read)
      } else {
        filesDone = true
        damage = files.damage
        if files.hidesRecords { return progress(ViewDigest(leaves: nil, records: 0, bytes: 0, damage: damage)) }
      }
    }
    guard left > 0 else { return progress(nil) }
    do throws(StoreError) {
      guard try readRecords(bytes: left) else { return progress(nil) }
      return progress(ViewDigest(leaves: Array(leaves), records: records, bytes: recordBytes, damage: damage))
    } catch {
      damage.append(StoreDamage(error, path: view.context.layout.directory))
      return progress(ViewDigest(leaves: nil, records: 0, bytes: 0, damage: damage))
    }
  }

  private func progress(_ digest: ViewDigest?) -> Progress {
    Progress(done: doneBytes, total: max(doneBytes, view.readBytes), digest: digest)
  }

  /// Reads records on; true after the last.
  private func readRecords(bytes: Int) throws(StoreError) -> Bool {
    let walk: LifeWalk
    if let begun = self.walk {
      walk = begun
    } else {
      walk = try LifeWalk(view, scope)
      self.walk = walk
    }
    let start = walk.readBytes
    defer { doneBytes += UInt64(walk.readBytes - start) }
    while walk.readBytes - start < bytes {
      let isLast = try !walk.next { life in
        let place = slice(life.record.key)
        precondition(leaves.indices.contains(place), "a slice that is none")
        // Keys lie anywhere in the ring: each finds another leaf, which had better be on its way while the record is
        // hashed.
        let leaf = leaves.baseAddress.unsafelyUnwrapped + place
        Memory.prefetch(leaf, count: RecordSum.encodedBytes)
        leaf.pointee.add(
          hasher.sum(
            key: life.record.key, from: life.record.version.rawValue, to: life.to.rawValue, value: life.record.value))
        records += 1
        recordBytes += UInt64(life.record.key.count + life.record.value.count)
      }
      if isLast { return true }
    }
    return false
  }
}
