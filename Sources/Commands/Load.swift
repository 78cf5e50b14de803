import Bytes
import Client

/// `kv put --from` and `kv delete --from`: a stream of records or keys, many of them under way at once.
///
/// What concerns one record alone (it is malformed, its condition is false) is told and counted, and the load goes on.
/// What will concern the next one too (the cluster doesn't answer, a disk is full) ends it.
struct Load {
  /// What is done with the records.
  enum Work: Equatable {
    /// They are written, and deletions among them made.
    case put(WriteCondition)
    /// Their keys are deleted.
    case delete
  }

  let work: Work
  let format: RecordFormat
  let file: String
  let global: GlobalOptions

  /// How many writes may be under way.
  private static let window = 512
  /// How long input may pause before the writes under way are waited for, in milliseconds.
  private static let patience: Int32 = 20

  func run(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let input = try InputStream(opening: file)
    let client = try global.client()
    let tally = LoadTally(work, json: global.json, unit: format.unit)
    let writer = client.writer(window: Load.window) { index, outcome in tally.note(index, outcome) }
    input.beforeWaiting = { [unowned input] () throws(CommandError) in
      writer.flush()
      guard !input.isReadable(within: Load.patience) else { return }
      writer.finish()
      try output.write(tally.takeOutput())
      try output.flush()
    }
    var progress = ProgressLine(quiet: global.quiet)
    let failure = read(input) { (number, key, value) throws(CommandError) in
      tally.add(number, key)
      switch work {
      case .put(let condition): writer.add(key, value ?? [], tombstone: value == nil, condition: condition)
      case .delete: writer.add(key, [], tombstone: true)
      }
      try output.write(tally.takeOutput())
      progress.show(tally.progress)
    } malformed: { number, words in
      tally.refuse(number, words)
    } isOver: {
      tally.isStopped
    }
    writer.finish()
    client.acknowledge()
    progress.clear()
    try output.write(tally.takeOutput())
    return try conclude(tally, failure)
  }

  /// Reads to the end, or to what stops the load; gives what broke the input. A record without a value is a deletion.
  func read(
    _ input: InputStream, record: (Int, Key, [UInt8]?) throws(CommandError) -> Void, malformed: (Int, String) -> Void,
    isOver: () -> Bool
  ) -> CommandError? {
    var number = 0
    do throws(CommandError) {
      while !isOver() {
        number += 1
        switch try format.next(from: input, needsValue: work != .delete) {
        case .record(let key, let value): try record(number, key, value)
        case .key where work == .put(.ifAbsent): malformed(number, "a deletion, which --if-absent excludes")
        case .key(let key): try record(number, key, nil)
        case .malformed(let words): malformed(number, words)
        case .broken(let words): return .malformed("\(input.path), \(format.unit) \(number): \(words)")
        case .end: return nil
        }
      }
      return nil
    } catch {
      return error
    }
  }

  func conclude(_ tally: LoadTally, _ failure: CommandError?) throws(CommandError) -> ExitCode {
    for words in tally.ends { StandardError.say(words) }
    global.say(tally.summary)
    if let failure {
      if tally.worst == .unknownOutcome, let words = failure.message { StandardError.say(words) } else { throw failure }
    }
    return tally.worst
  }
}
