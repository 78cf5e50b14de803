public import Bytes
import Merkle
import Table

/// One record of a view, as replicas compare it.
public struct ListedLife: Equatable, Sendable {
  /// The key.
  public let key: Key
  /// From which version on the value was the key's.
  public let from: Version
  /// From which on no more; `Version.max`: it still is.
  public let to: Version
  /// The bytes of the value.
  public let valueBytes: Int
  /// The SHA-256 of the record in its canonical form.
  public let digest: [UInt8]
}

/// Lists the records of some slices of a view, to find those that differ. It reads all of them, slice of work by slice
/// of work.
///
/// SAFETY: as `ViewScan`.
public final class ViewListing: @unchecked Sendable {
  private let view: StoreView
  private let scope: LifeScope
  private let start: Key?
  private let isWanted: @Sendable (UnsafeRawBufferPointer) -> Bool
  private let limit: Int
  private var walk: LifeWalk?
  private let hasher = RecordHasher()
  private var found: [ListedLife] = []

  /// What came of a listing.
  public enum Outcome: Sendable {
    /// There is more to read.
    case more
    /// The records, and whether others follow: a listing from the last key's successor on gives them.
    case done([ListedLife], isCut: Bool)
    case failed(StoreDamage)
  }

  /// A listing of the wanted keys at or after one. It ends with the key with which it has `limit` records.
  public init(
    _ view: StoreView, _ scope: LifeScope, from start: Key?, limit: Int,
    isWanted: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
  ) {
    self.view = view
    self.scope = scope
    self.start = start
    self.limit = limit
    self.isWanted = isWanted
  }

  /// Reads on for about so many bytes. Blocking.
  public func step(bytes: Int) -> Outcome {
    do throws(StoreError) {
      return try read(bytes)
    } catch {
      return .failed(StoreDamage(error, path: view.context.layout.directory))
    }
  }

  private func read(_ bytes: Int) throws(StoreError) -> Outcome {
    let walk: LifeWalk
    if let begun = self.walk {
      walk = begun
    } else {
      walk = try LifeWalk(view, scope, from: start)
      self.walk = walk
    }
    let begin = walk.readBytes
    while walk.readBytes - begin < bytes {
      var isCut = false
      let isLast = try !walk.next { life in
        guard isWanted(life.record.key) else { return }
        let key = Key(Array(life.record.key))
        guard found.count < limit || found.last?.key == key else {
          isCut = true
          return
        }
        let sum = hasher.sum(
          key: life.record.key, from: life.record.version.rawValue, to: life.to.rawValue, value: life.record.value)
        found.append(
          ListedLife(
            key: key, from: life.record.version, to: life.to, valueBytes: life.record.value.count,
            digest: sum.bytes))
      }
      if isLast || isCut { return .done(found, isCut: isCut) }
    }
    return .more
  }
}
