import Bytes
import Wire

/// The records in which the lists of several replicas differ: each list in record order, as far as it is known.
enum RecordDiff {
  /// One page of a replica's list: records from a common key on, and whether others follow its last.
  struct Page {
    let replica: ReplicaID
    let records: [WireListedRecord]
    let more: Bool
  }

  /// The last key up to which all pages are complete; nil: they are to their ends.
  static func frontier(_ pages: [Page]) -> Key? {
    pages.filter(\.more).compactMap { $0.records.last.map { Key($0.key.array) } }.min()
  }

  /// What differs between pages up to a key, or to their ends: for each version of a key that not all hold alike, who
  /// holds what.
  static func differences(_ pages: [Page], through last: Key?) -> [WireRecordDifference] {
    struct Place: Hashable {
      let key: Key
      let from: UInt64
    }
    var holders: [Place: [Int: WireListedRecord]] = [:]
    for (at, page) in pages.enumerated() {
      for record in page.records {
        let place = Place(key: Key(record.key.array), from: record.from)
        if let last, place.key > last { break }
        holders[place, default: [:]][at] = record
      }
    }
    let differing = holders.filter { _, held in
      held.count < pages.count || Set(held.values.map(\.digest)).count > 1
    }
    // As records are ordered: the newest version of a key first.
    return differing.sorted { $0.key.key != $1.key.key ? $0.key.key < $1.key.key : $0.key.from > $1.key.from }
      .map { place, held in
        .with {
          $0.key = .init(place.key.bytes)
          $0.from = place.from
          $0.held = pages.enumerated().map { at, page in
            .with {
              $0.replica = page.replica.rawValue
              guard let record = held[at] else { return }
              $0.present = true
              $0.to = record.to
              $0.valueBytes = record.valueBytes
              $0.digest = record.digest
            }
          }
        }
      }
  }
}
