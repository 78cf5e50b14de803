import Bytes
import Environment
import Store
import Wire

/// How often of late a partition's leader gave its leadership away because a read met damage.
struct DamagedReads {
  private var handedOver: [Moment] = []

  /// Whether another replica may yet have what this one can't read: unless the leadership has come back several times,
  /// which says that the others can't read it either, or can't lead. It comes back more often where two that are damaged
  /// don't know it of each other yet, and only then does one know that the third is not.
  mutating func mayHandOver(toSound: Bool, now: Moment) -> Bool {
    handedOver.removeAll { now.milliseconds(since: $0) > Limits.damagedReadMilliseconds }
    return handedOver.count < (toSound ? Limits.damagedReadHandOversToSound : Limits.damagedReadHandOvers)
  }

  /// Notes that it did so.
  mutating func noteHandOver(now: Moment) { handedOver.append(now) }
}

extension Partition {
  /// The answer to a read that this replica's store could not do. Where others may have what is damaged here, one of
  /// them is made leader, and who asked is sent on.
  func refuse(_ error: StoreError) -> WireResponse.OneOf_Body {
    let answer = node.failure(error, of: group)
    guard case .corrupt = error, case .failure(let failure) = answer, let replica else { return answer }
    node.damageReports.report(self)
    // A follower need not say it: who leads may have it, or know who has.
    guard replica.leads else { return sentOn(failure.message) }
    // While one is under way, what is asked waits for the other leader.
    if replica.core.status.transferTarget == .none {
      let hasSound = node.planner.hasSoundHeir(replica)
      guard damagedReads.mayHandOver(toSound: hasSound, now: node.now), node.planner.handOver(replica, except: [])
      else { return answer }
      damagedReads.noteHandOver(now: node.now)
    }
    return WireFailure.because(.notLeader, failure.message)
  }
}

extension StoreError {
  /// The file that is damaged, if that is what it says.
  var path: String? { if case .corrupt(let path, _, _, _) = self { path } else { nil } }
}
