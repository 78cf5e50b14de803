import Bytes
import Node
import Raft
import Wire

// How frames look in a trace.
extension PeerFrame {
  /// A number that tells this frame from others.
  var mark: UInt64 {
    switch self {
    case .request(let request): 10 ^ request.id << 8
    case .response(let response): 11 ^ response.id << 8
    case .batch(let batch):
      batch.messages.reduce(12) {
        SplitMix64.mix($0 ^ $1.to ^ UInt64($1.group) << 40) ^ UInt64($1.kind) ^ $1.term << 8 ^ $1.index << 24
          ^ UInt64($1.entries.count) << 44
      }
    case .snapshotChunk(let chunk): 13 ^ UInt64(chunk.sequence) << 8 ^ UInt64(chunk.data.count) << 32
    case .snapshotCredit(let credit): 14 ^ UInt64(credit.sequence) << 8
    }
  }

  /// The frame in words.
  var words: String {
    switch self {
    case .request(let request): "request \(request.id) \(request.body.map(PeerFrame.name) ?? "empty")"
    case .response(let response): "response \(response.id) \(response.body.map { PeerFrame.name($0) } ?? "empty")"
    case .batch(let batch): batch.messages.map(PeerFrame.words).joined(separator: "; ")
    case .snapshotChunk(let chunk):
      "state of group \(chunk.group), chunk \(chunk.sequence), \(chunk.data.count) bytes\(chunk.hasTrailer ? ", the last" : "")"
    case .snapshotCredit(let credit):
      "state of group \(credit.group), credit \(credit.sequence)\(credit.done ? ", done" : credit.failed ? ", failed" : "")"
    }
  }

  private static func name(_ body: WireRequest.OneOf_Body) -> String { caseName("\(body)") }
  private static func name(_ body: WireResponse.OneOf_Body) -> String { caseName("\(body)") }
  private static func caseName(_ text: String) -> String { String(text.prefix { $0 != "(" }) }

  private static func words(_ message: WireRaftMessage) -> String {
    let kind = UInt8(exactly: message.kind).flatMap(Message.Kind.init(rawValue:)).map { "\($0)" } ?? "\(message.kind)"
    var words = "group \(message.group) \(kind) term \(message.term)"
    if message.index > 0 { words += " index \(message.index)@\(message.logTerm)" }
    if message.commit > 0 { words += " commit \(message.commit)" }
    if !message.entries.isEmpty { words += " entries of \(message.entries.count) bytes" }
    if message.reject { words += " rejects, hint \(message.hintIndex)@\(message.hintTerm)" }
    return words
  }
}
