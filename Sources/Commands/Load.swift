import Bytes
import Client

/// `kv put --from`: a stream of records, many of them under way at once.
///
/// What concerns one record alone (it is malformed, its condition is false) is told and counted, and the load goes on.
/// What will concern the next one too (the cluster doesn't answer, a disk is full) ends it.
struct Load {
  let format: RecordFormat
  let file: String
  let condition: WriteCondition
  let global: GlobalOptions

  /// How many writes may be under way.
  private static let window = 512
  /// How long input may pause before the writes under way are waited for, in milliseconds.
  private static let patience: Int32 = 20

  func run(_ output: OutputStream) throws(CommandError) -> ExitCode {
    let input = try InputStream(opening: file)
    let client = try global.client()
    let tally = LoadTally(json: global.json, unit: unit)
    let writer = client.writer(window: Load.window) { index, outcome in tally.note(index, outcome) }
    input.beforeWaiting = { [unowned input] in
      writer.flush()
      if !input.isReadable(within: Load.patience) { writer.finish() }
    }
    var progress = ProgressLine(quiet: global.quiet)
    let failure = read(input) { (number, key, value) throws(CommandError) in
      tally.add(number, key)
      writer.add(key, value, condition: condition)
      try output.write(tally.takeOutput())
      progress.show("\(tally.written) records written")
    } malformed: { number, words in
      tally.refuse(number, words)
    } isOver: {
      tally.isStopped
    }
    writer.finish()
    progress.clear()
    try output.write(tally.takeOutput())
    return try conclude(tally, failure)
  }

  /// What one piece of the input is called.
  var unit: String { format == .tsv || format == .json ? "line" : "record" }

  /// Reads to the end, or to what stops the load; gives what broke the input.
  func read(
    _ input: InputStream, record: (Int, Key, [UInt8]) throws(CommandError) -> Void, malformed: (Int, String) -> Void,
    isOver: () -> Bool
  ) -> CommandError? {
    var number = 0
    do throws(CommandError) {
      while !isOver() {
        number += 1
        switch try format.next(from: input) {
        case .record(let key, let value): try record(number, key, value)
        case .malformed(let words): malformed(number, words)
        case .broken(let words): return .malformed("\(input.path), \(unit) \(number): \(words)")
        case .end: return nil
        }
      }
      return nil
    } catch {
      return error
    }
  }

  func conclude(_ tally: LoadTally, _ failure: CommandError?) throws(CommandError) -> ExitCode {
    global.say(tally.summary)
    if let failure {
      if tally.worst == .unknownOutcome, let words = failure.message { StandardError.say(words) } else { throw failure }
    }
    return tally.worst
  }
}
