import Bytes
import Client

// `kv put --from --atomic`: all of the input is read first, and nothing is written if any of it is wrong.
extension Load {
  private static let nothingWritten = "nothing was written"
  /// The most bytes of keys and values that are taken in.
  private static let togetherBytes = ByteCount.mebibytes(64)

  /// Writes the records of each partition with one version, or none of them.
  func runTogether(_ output: OutputStream, _ condition: WriteCondition) throws(CommandError) -> ExitCode {
    let records = try recordsTogether()
    let client = try global.client()
    let tally = LoadTally(work, json: global.json, unit: format.unit)
    for record in records { tally.add(record.number, record.key) }
    guard !records.isEmpty else { return try conclude(tally, nil) }
    try asking { () throws(ClientError) in
      try client.put(together: records.map { ($0.key, $0.value) }, condition: condition) { tally.note($0) }
    }
    client.acknowledge()
    try output.write(tally.takeOutput())
    return try conclude(tally, nil)
  }

  private func recordsTogether() throws(CommandError) -> [(number: Int, key: Key, value: [UInt8])] {
    let input = try InputStream(opening: file)
    var records: [(number: Int, key: Key, value: [UInt8])] = []
    var places: [Key: Int] = [:]
    var bytes = 0
    var wrong: String?
    let failure = read(input) { (number, key, value) throws(CommandError) in
      guard !key.bytes.isEmpty else {
        throw .malformed("\(input.path), \(format.unit) \(number): the key is empty; nothing was written")
      }
      guard let value else {
        throw .malformed(
          "\(input.path), \(format.unit) \(number): a deletion; nothing was written: only values are written together")
      }
      if let other = places.updateValue(number, forKey: key) {
        throw .malformed(
          "\(input.path), \(format.unit) \(number): the key of \(format.unit) \(other) again; nothing was written: with --atomic each "
            + "key stands once")
      }
      bytes += key.bytes.count + value.count
      guard bytes <= Load.togetherBytes.rawValue else {
        throw .malformed(
          "\(input.path), \(format.unit) \(number): more than \(Load.togetherBytes) so far; nothing was written: load it in parts, "
            + "or without --atomic")
      }
      records.append((number, key, value))
    } malformed: { number, words in
      wrong = "\(input.path), \(format.unit) \(number): \(words); nothing was written"
    } isOver: {
      wrong != nil
    }
    if case .malformed(let words)? = failure, !words.contains(Load.nothingWritten) {
      throw .malformed("\(words); \(Load.nothingWritten)")
    }
    if let failure { throw failure }
    if let wrong { throw .malformed(wrong) }
    return records
  }
}
