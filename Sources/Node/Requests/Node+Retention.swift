import Bytes
import Environment
import Store
import Wire

// How long old versions are kept, and from which one on.
extension Node {
  /// Has the cluster keep old versions for so long, in milliseconds: once the catalog can be told.
  public func keepVersions(milliseconds: UInt64) { wantedRetention = milliseconds }

  func proposeRetentionIfDue() {
    guard let wanted = wantedRetention, let catalog = catalog.catalog, router.leader(of: .catalog) != nil else {
      return
    }
    wantedRetention = nil
    guard catalog.retentionMilliseconds != wanted else { return }
    proposeToCatalog(.with { $0.setRetention = wanted }) { [self] isDone in
      if !isDone { wantedRetention = wantedRetention ?? wanted }
    }
  }

  /// Tells the partitions' stores which version is the oldest that must stay readable. All replicas drop by what the
  /// catalog says alone.
  func applyFloor() {
    guard let floor = catalog.catalog?.floor else { return }
    for partition in partitions { partition.store.retain(Retention(floor: floor)) }
  }

  /// The oldest version below a floor that is read here. No read below the floor begins for a while.
  func oldestRead(_ request: WireOldestReadRequest) -> WireOldestReadResponse {
    .with {
      $0.version = heldReads.promise(Version(rawValue: request.floor), now: now)?.rawValue ?? 0
    }
  }

  /// The answer to a read that a store could not do.
  func failure(_ error: StoreError, of group: GroupID? = nil) -> WireResponse.OneOf_Body {
    if case .notRetained(let version, let floor) = error { return notRetained(version, floor: floor) }
    return WireFailure.because(.damaged, "\(group.map { "partition \($0) on " } ?? "")node \(id): \(error)")
  }

  func notRetained(_ version: Version, floor: Version) -> WireResponse.OneOf_Body {
    .failure(
      .with {
        $0.code = .notRetained
        $0.message = "version \(version) is no longer retained; the oldest that is is \(floor)"
        $0.floor = floor.rawValue
      })
  }
}
