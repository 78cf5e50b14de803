import Bytes
import Client

/// `kv get --from`: the keys of a stream, whose values are printed in its order.
///
/// Whoever writes a key and waits for its value gets it: before a read that has to wait, all answers are printed. What
/// isn't a key is told, and the next one read.
final class KeyStream {
  /// Prints what was found of a key, and how fresh that is where it need not be the latest; says whether anything was.
  typealias Answer = (Key, Found?, Freshness?) throws(CommandError) -> Bool

  private let format: RecordFormat
  private let input: InputStream
  private let output: OutputStream
  private var code = ExitCode.done
  /// Why nothing more can be read of the stream; what stands before is answered first.
  private var breach: CommandError?
  /// The keys whose values are not yet printed, by their place in the stream, the first of them at `next`.
  private var keys: [Int: Key] = [:]
  private var outcomes: [Int: Result<Pipeline.Answer, ClientError>] = [:]
  private var next = 0

  /// How many reads may be under way, and how many answers may wait for an earlier one.
  private static let window = 512

  /// The keys of a file, `-` being standard input, whose values go to `output`.
  init(_ format: RecordFormat, file: String, _ output: OutputStream) throws(CommandError) {
    self.format = format
    self.output = output
    input = try InputStream(opening: file)
  }

  /// Reads one key after the other.
  func read(_ answer: (Key) throws(CommandError) -> Bool) throws(CommandError) -> ExitCode {
    input.beforeWaiting = { [output] () throws(CommandError) in try output.flush() }
    try forEachKey { (key) throws(CommandError) in
      if try !answer(key) { note(.absent) }
    }
    return try end()
  }

  /// Reads the values at a version, or the latest, many at once.
  func read(
    _ client: Client, at version: Version?, _ consistency: Consistency, _ answer: @escaping Answer
  ) throws(CommandError) -> ExitCode {
    let pipeline = client.pipeline(window: KeyStream.window) { [unowned self] place, outcome in
      outcomes[place] = outcome
    }
    input.beforeWaiting = { [unowned self] () throws(CommandError) in
      pipeline.finish()
      try printAnswers(answer)
      try output.flush()
    }
    try forEachKey { (key) throws(CommandError) in
      if keys.count >= KeyStream.window * 2 { pipeline.finish() }
      try printAnswers(answer)
      keys[pipeline.get(key, at: version, consistency: consistency)] = key
    }
    pipeline.finish()
    try printAnswers(answer)
    return try end()
  }

  private func end() throws(CommandError) -> ExitCode {
    if let breach { throw breach }
    return code
  }

  private func printAnswers(_ answer: Answer) throws(CommandError) {
    while let outcome = outcomes.removeValue(forKey: next), let key = keys.removeValue(forKey: next) {
      next += 1
      switch outcome {
      case .success(.found(let found, let freshness)): if try !answer(key, found, freshness) { note(.absent) }
      case .success(.written): preconditionFailure("a read was answered as a write")
      case .failure(let error): throw .client(error)
      }
    }
  }

  private func forEachKey(_ body: (Key) throws(CommandError) -> Void) throws(CommandError) {
    var number = 0
    while true {
      number += 1
      switch try format.next(from: input, needsValue: false) {
      case .key(let key), .record(let key, _):
        if key.bytes.isEmpty { tell(number, "the key is empty") } else { try body(key) }
      case .malformed(let words): tell(number, words)
      case .broken(let words):
        breach = .malformed("\(input.path), \(format.unit) \(number): \(words)")
        return
      case .end: return
      }
    }
  }

  private func tell(_ number: Int, _ words: String) {
    StandardError.say("\(format.unit) \(number): \(words)")
    note(.malformedData)
  }

  /// The exit code is that of the first failure.
  private func note(_ failure: ExitCode) {
    if code == .done { code = failure }
  }
}
