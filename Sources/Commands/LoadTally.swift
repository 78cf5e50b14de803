import Bytes
import Client

/// Counts what became of the records of a load, and tells of those that failed.
final class LoadTally {
  /// How many records were written, or keys deleted.
  private(set) var written = 0
  /// How many keys were to be deleted that have no value.
  private(set) var absent = 0
  /// How many were not, or perhaps not.
  private(set) var failed = 0
  /// Whether an outcome says that going on is no use.
  private(set) var isStopped = false
  /// The exit code: that of the first failure, but an unknown outcome goes before all others.
  private(set) var worst = ExitCode.done

  private let work: Load.Work
  private let json: Bool
  private let unit: String
  private let began = ProcessFacts.steadyMilliseconds
  private var output: [UInt8] = []
  /// The number in the input, and the key where it is printed, of every record under way: as many as the window.
  private var underWay: [Int: (number: Int, key: Key?)] = [:]
  private var added = 0
  private var told = 0
  /// The numbers of those that came to the same end as the one that stopped the load, by whether they are perhaps done.
  private var stopped: [Bool: [Int]] = [:]

  /// How many failures are told one by one.
  private static let mostTold = 1000

  init(_ work: Load.Work, json: Bool, unit: String) {
    self.work = work
    self.json = json
    self.unit = unit
  }

  /// Notes the next record that is given to the writer.
  func add(_ number: Int, _ key: Key) {
    underWay[added] = (number, json ? key : nil)
    added += 1
  }

  /// Notes a piece of input that isn't a record.
  func refuse(_ number: Int, _ words: String) {
    fail(number, nil, words, .malformedData)
  }

  /// Notes the outcome of the record that was added at a place.
  func note(_ index: Int, _ outcome: Result<Version, ClientError>) {
    let (number, key) = underWay.removeValue(forKey: index) ?? (index + 1, nil)
    switch outcome {
    case .success(.zero):
      absent += 1
      if worst == .done, work == .delete { worst = .absent }
      if json { print(number, key) { $0.null("version") } }
    case .success(let version):
      written += 1
      if json { print(number, key) { $0.version("version", version) } }
    case .failure(let error):
      let code = ExitCode(rawValue: error.exitCode) ?? .softwareError
      fail(number, key, "\(error)", code, stops: !error.concernsOneWrite)
    }
  }

  /// Notes what became of records that were to be written together.
  func note(_ part: BatchPart) {
    switch part.outcome {
    case .failure(.conditionOfBatchFalse(let write, let current)) where part.places.indices.contains(write - 1):
      let cause = part.places[write - 1]
      let number = underWay[cause]?.number ?? cause + 1
      for place in part.places where place != cause {
        refuse(place, "not written, for \(unit) \(number) of its partition", .absent)
      }
      note(cause, .failure(.conditionFalse(current: current)))
    case .failure(.unknownOutcome(let words, _)), .failure(.unsettled(let words, _)):
      for place in part.places {
        refuse(
          place, "\(words); kv get one of its keys shows it, and to load it again is safe", .unknownOutcome, stops: true
        )
      }
    default:
      for place in part.places { note(place, part.outcome) }
    }
  }

  private func refuse(_ place: Int, _ words: String, _ code: ExitCode, stops: Bool = false) {
    let (number, key) = underWay.removeValue(forKey: place) ?? (place + 1, nil)
    fail(number, key, words, code, stops: stops)
  }

  /// `stops`: whether that holds of all others as well. Of those that were under way then it is said once.
  private func fail(_ number: Int, _ key: Key?, _ words: String, _ code: ExitCode, stops: Bool = false) {
    failed += 1
    if worst == .done || code == .unknownOutcome { worst = code }
    if json { print(number, key) { $0.string("error", words) } }
    if stops, isStopped { return stopped[code == .unknownOutcome, default: []].append(number) }
    isStopped = isStopped || stops
    told += 1
    if told <= LoadTally.mostTold {
      StandardError.say("\(unit) \(number): \(words)")
    } else if told == LoadTally.mostTold + 1 {
      StandardError.say("more failures are counted only")
    }
  }

  private func print(_ number: Int, _ key: Key?, _ add: (inout JSONObject) -> Void) {
    var object = JSONObject()
    object.number("record", number)
    if let key { object.data("key", key.bytes) }
    add(&object)
    output.append(contentsOf: object.line)
  }

  /// What is to be printed since the last call.
  func takeOutput() -> [UInt8] {
    defer { output = [] }
    return output
  }

  /// What became of those that were under way when the load was stopped, in words.
  var ends: [String] {
    let verb = work == .delete ? "deleted" : "written"
    return [true, false].compactMap { isPerhapsDone in
      guard let numbers = stopped[isPerhapsDone] else { return nil }
      let ends = isPerhapsDone ? "perhaps \(verb)" : "not \(verb)"
      return "\(unit)\(numbers.count == 1 ? "" : "s") \(runs(numbers)) as well: \(ends)"
    }
  }

  /// What is done so far, in words.
  var progress: String {
    switch work {
    case .put: "\(written) records written"
    case .delete: "\(written) keys deleted"
    }
  }

  /// What was done, in words.
  var summary: String {
    let milliseconds = ProcessFacts.steadyMilliseconds - began
    let time = "\(milliseconds / 1000).\(milliseconds / 100 % 10) s"
    let end = isStopped ? "; stopped there: loading again from the start is safe" : ""
    let gone = absent > 0 ? ", \(absent) were absent" : ""
    return "\(progress)\(gone), \(failed) failed in \(time)\(end)"
  }
}

extension ClientError {
  /// Whether the next write may well succeed.
  var concernsOneWrite: Bool {
    switch self {
    case .conditionFalse, .conditionOfBatchFalse, .unsettled, .invalid: true
    default: false
    }
  }
}
