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

  /// Tells the partitions' stores which versions must stay readable. All replicas drop by what the catalog says alone.
  ///
  /// A store whose floor is above the catalog's has it from a later state of the catalog, as after a restart or a
  /// transfer: it keeps the pins of that state, which this one may not know yet.
  func applyRetention() {
    guard let (floor, pins) = catalog.catalog?.retained else { return }
    for partition in partitions where floor >= partition.store.retention.floor {
      partition.store.retain(Retention(floor: floor, pins: pins))
    }
  }

  /// The oldest version below a floor that is read here. No read below the floor begins for a while.
  func oldestRead(_ request: WireOldestReadRequest) -> WireOldestReadResponse {
    .with {
      $0.version = heldReads.promise(Version(rawValue: request.floor), now: now)?.rawValue ?? 0
    }
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
