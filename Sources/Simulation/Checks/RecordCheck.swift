import Bytes

/// Holds what clients were told against what the nodes applied.
struct RecordCheck {
  private let record: RunRecord
  /// How many facts were checked, by kind.
  private(set) var counts: [String: Int] = [:]

  init(_ record: RunRecord) {
    self.record = record
  }

  mutating func run() {
    checkWrites()
    checkBatches()
    checkReadsAtVersions()
    checkLatest()
    checkOrder()
    checkKeys()
  }

  private mutating func count(_ kind: String) { counts[kind, default: 0] += 1 }

  /// The write of a key that a read at a version shows.
  private func alive(_ key: [UInt8], at version: Version) -> RunRecord.Applied? {
    guard let writes = record.writes[key] else { return nil }
    var low = 0
    var high = writes.count
    while low < high {
      let middle = (low + high) / 2
      if writes[middle].version <= version { low = middle + 1 } else { high = middle }
    }
    return low == 0 || writes[low - 1].value == nil ? nil : writes[low - 1]
  }

  /// What is acknowledged is there, at that version; what is "certainly not done" is not.
  private mutating func checkWrites() {
    for operation in record.operations {
      guard case .write(let value, _) = operation.intent else { continue }
      let applied = record.versions[.init(client: operation.client, sequence: operation.sequence)]
      switch operation.outcome {
      case .done(let version) where version > .zero:
        count("acknowledged writes found")
        guard applied == version, let write = record.writes[operation.key]?.first(where: { $0.version == version })
        else {
          record.fail(
            "an acknowledged write is lost: \(operation.words); the logs have \(applied.map { "\($0)" } ?? "none")")
          continue
        }
        if write.value != value { record.fail("an acknowledged write has another value: \(operation.words)") }
      case .done, .conditionFalse, .notDone:
        count("refused writes not found")
        if let applied { record.fail("applied at \(applied), though certainly not done: \(operation.words)") }
      default: break
      }
    }
  }

  /// Of a batch all was applied, or nothing.
  private mutating func checkBatches() {
    for (id, keys) in record.batches.sorted(by: { ($0.key.client, $0.key.sequence) < ($1.key.client, $1.key.sequence) })
    {
      guard let version = record.versions[id] else { continue }
      count("batches found whole")
      for key in keys where record.writes[key]?.contains(where: { $0.version == version && $0.id == id }) != true {
        record.fail(
          "half of a batch: \(id) was applied at \(version), but not to \(String(decoding: key, as: UTF8.self))")
      }
    }
  }

  /// Every read at a version gives what the writes up to it left, whoever answered, and whenever.
  private mutating func checkReadsAtVersions() {
    for operation in record.operations {
      guard case .readAt(let version) = operation.intent, version > .zero else { continue }
      let truth = alive(operation.key, at: version)
      switch operation.outcome {
      case .found(let value, let found):
        count("reads at a version")
        if truth?.version != found || truth?.value != value {
          record.fail(
            "a read at a version differs: \(operation.words); \(truth.map { "\($0.version)" } ?? "nothing") was alive")
        }
      case .absent:
        count("reads at a version")
        if let truth { record.fail("a read at a version misses \(truth.version): \(operation.words)") }
      default: break
      }
    }
    for range in record.ranges {
      count("ranges at a version")
      for key in range.asked {
        let truth = alive(key, at: range.at)
        let found = range.found[key]
        if truth?.version != found?.version || truth?.value != found?.value {
          record.fail(
            "a range at \(range.at) shows \(String(decoding: key, as: UTF8.self)) of \(found.map { "\($0.version)" } ?? "none"), alive was \(truth.map { "\($0.version)" } ?? "none")"
          )
        }
      }
    }
    for glimpse in record.glimpses where glimpse.value != nil {
      count("eventual reads")
      let write = record.writes[glimpse.key]?.first { $0.version == glimpse.version }
      if write?.value != glimpse.value {
        record.fail("an eventual read shows what was never written: \(glimpse.version)")
      }
    }
    checkLags()
  }

  /// An eventual read is not further behind than it says: it shows every write that was acknowledged before that, or a
  /// later one.
  private mutating func checkLags() {
    var acknowledged: [[UInt8]: [(answered: UInt64, version: Version)]] = [:]
    for operation in record.operations {
      if case .done(let version) = operation.outcome, version > .zero {
        acknowledged[operation.key, default: []].append((operation.answered, version))
      }
    }
    for glimpse in record.glimpses {
      guard let lag = glimpse.lagMilliseconds else { continue }
      count("lags of eventual reads")
      // Clocks drift by up to a tenth, and show whole milliseconds.
      let age = (lag + lag / 8 + 2) * 1_000_000
      guard glimpse.sent > age else { continue }
      let before = glimpse.sent - age
      let newest = acknowledged[glimpse.key]?.filter { $0.answered < before }.map(\.version).max() ?? .zero
      // What shows nothing shows a deletion, if one is as new.
      let shown = glimpse.value == nil ? record.writes[glimpse.key]?.last { $0.value == nil }?.version : glimpse.version
      if shown ?? .zero < newest {
        record.fail("an eventual read said that it is \(lag) ms behind, and lacks version \(newest) of longer ago")
      }
    }
  }

  /// "Now" is not before anything that was acknowledged when it was asked for.
  private mutating func checkLatest() {
    let acknowledged = spans.filter { $0.answered < .max }.sorted { $0.answered < $1.answered }
    var next = 0
    var highest = Version.zero
    for (asked, version) in record.latest.sorted(by: { $0.asked < $1.asked }) {
      while next < acknowledged.count, acknowledged[next].answered < asked {
        highest = max(highest, acknowledged[next].version)
        next += 1
      }
      count("versions of now")
      if version < highest { record.fail("now is \(version), but \(highest) was acknowledged before") }
    }
  }

  private var spans: [(sent: UInt64, answered: UInt64, version: Version)] {
    record.operations.compactMap { operation in
      guard case .write = operation.intent else { return nil }
      switch operation.outcome {
      case .done(let version) where version > .zero: return (operation.sent, operation.answered, version)
      case .unknown:
        let id = RunRecord.WriteID(client: operation.client, sequence: operation.sequence)
        return record.versions[id].map { (operation.sent, .max, $0) }
      default: return nil
      }
    }
  }

  /// Versions agree with real time, across all keys and partitions (promise P3).
  private mutating func checkOrder() {
    let bySending = spans.sorted { $0.sent < $1.sent }
    let byAnswer = spans.filter { $0.answered < .max }.sorted { $0.answered < $1.answered }
    var next = 0
    var highest = Version.zero
    for span in bySending {
      while next < byAnswer.count, byAnswer[next].answered < span.sent {
        highest = max(highest, byAnswer[next].version)
        next += 1
      }
      count("versions in real-time order")
      if span.version <= highest {
        record.fail("version \(span.version) was given to a write sent after \(highest) had been acknowledged")
      }
    }
  }

  private mutating func checkKeys() {
    for (key, operations) in Dictionary(grouping: record.operations, by: \.key).sorted(by: {
      $0.key.lexicographicallyPrecedes($1.key)
    }) {
      var steps: [KeyHistory.Step] = []
      var meaning: [Operation] = []
      for operation in operations {
        let id = RunRecord.WriteID(client: operation.client, sequence: operation.sequence)
        guard let step = KeyHistory.step(operation, applied: record.versions[id]) else { continue }
        steps.append(step)
        meaning.append(operation)
      }
      counts["linearized operations", default: 0] += steps.count
      let name = String(decoding: key, as: UTF8.self)
      switch Linearizability.check(steps, from: KeyState()) {
      case .linearizable: break
      case .undecided: record.fail("\(name): its history is too entangled to be decided")
      case .impossible(let stuck):
        let words = stuck.prefix(6).map { meaning[$0].words }.joined(separator: "; ")
        record.fail("\(name) is not linearizable: none of these can come next: \(words)")
      }
    }
  }
}
