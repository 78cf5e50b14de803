import Bytes

/// All writes of a run, and what must hold among them whatever happened to the nodes.
struct WriteHistory {
  let attempts: [WriteAttempt]

  var acknowledged: [WriteAttempt] { attempts.filter { $0.version != nil } }
  var unknown: [WriteAttempt] { attempts.filter { $0.unknownID != nil } }

  /// Versions that were given out twice: each is one write's alone.
  func repeatedVersions() -> [String] {
    var seen: [Version: WriteAttempt] = [:]
    return attempts.compactMap { attempt in
      guard let version = attempt.version else { return nil }
      return seen.updateValue(attempt, forKey: version).map {
        "version \(version) was given out twice: to \($0.words); and to \(attempt.words)"
      }
    }
  }

  /// Writes with a version that isn't above that of a write acknowledged before they were sent, by whichever client.
  func misorderedVersions() -> [String] {
    let acknowledged = self.acknowledged
    let bySending = acknowledged.sorted { $0.sent < $1.sent }
    let byAnswer = acknowledged.sorted { $0.answered < $1.answered }
    var found: [String] = []
    var next = 0
    var highest: WriteAttempt?
    for attempt in bySending {
      while next < byAnswer.count, byAnswer[next].answered < attempt.sent {
        if byAnswer[next].version ?? .zero > highest?.version ?? .zero { highest = byAnswer[next] }
        next += 1
      }
      if let highest, let earlier = highest.version, let version = attempt.version, earlier >= version {
        found.append("\(attempt.words); but acknowledged before it was sent: \(highest.words)")
      }
    }
    return found
  }

  /// What is wrong with the records of the whole store, read after all writes had ended: each must be an acknowledged
  /// write at its version or one of unknown outcome, none may be lost, and none be older than an acknowledged one.
  func faults(inFinal records: [Record]) -> [String] {
    let byValue = Dictionary(attempts.map { ($0.value, $0) }) { first, _ in first }
    let found = Dictionary(records.map { ($0.key, $0) }) { first, _ in first }
    var faults = records.count == found.count ? [] : ["a range gives a key twice"]
    for record in records {
      let name = "\(Escaping.text(record.key.bytes)) at \(record.version)"
      guard let attempt = byValue[record.value], attempt.key == record.key else {
        faults.append("\(name) has a value that nobody wrote")
        continue
      }
      switch attempt.outcome {
      case .acknowledged(record.version), .unknown: break
      case .acknowledged, .refused: faults.append("\(name) has the value of \(attempt.words)")
      }
    }
    for attempt in acknowledged {
      guard let version = attempt.version else { continue }
      let latest = found[attempt.key]?.version
      if latest ?? .zero < version {
        faults.append("lost: \(attempt.words); the store has \(latest.map { "version \($0)" } ?? "no such key")")
      }
    }
    return faults
  }

  /// The longest time in which none of the acknowledgements came, in milliseconds, between two moments of the steady
  /// clock in nanoseconds.
  static func longestPause(_ answers: [UInt64], from began: UInt64, to ended: UInt64) -> UInt64 {
    let within = answers.filter { $0 > began && $0 < ended }.sorted()
    return zip([began] + within, within + [ended]).map { $1 - $0 }.max().map { $0 / 1_000_000 } ?? 0
  }
}
