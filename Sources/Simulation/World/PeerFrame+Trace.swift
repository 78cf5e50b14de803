import Bytes
import Node
import Raft
import Wire

extension PeerFrame {
  /// Whether it may be lost, late or doubled by itself: consensus and the pulses must stand that.
  var mayBeLost: Bool {
    switch self {
    case .batch: true
    case .request(let request): if case .pulse? = request.body { true } else { false }
    case .response(let response): if case .pulse? = response.body { true } else { false }
    case .snapshotChunk, .snapshotCredit: false
    }
  }
}

// How frames look in a trace.
extension PeerFrame {
  /// A number that tells this frame from others.
  var mark: UInt64 {
    switch self {
    case .request(let request): 10 ^ request.id << 8
    case .response(let response): 11 ^ response.id << 8
    case .batch(let messages):
      messages.reduce(12) { mark, message in
        let (raft, group) = (message.message, UInt64(message.group.rawValue))
        return SplitMix64.mix(mark ^ raft.to.rawValue ^ group << 40) ^ UInt64(raft.kind.rawValue)
          ^ raft.term.rawValue << 8 ^ raft.index.rawValue << 24 ^ UInt64(raft.entries.count) << 44
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
    case .batch(let messages): messages.map(PeerFrame.words).joined(separator: "; ")
    case .snapshotChunk(let chunk):
      "state of group \(chunk.group), chunk \(chunk.sequence), \(chunk.data.count) bytes\(chunk.hasTrailer ? ", the last" : "")"
    case .snapshotCredit(let credit):
      "state of group \(credit.group), credit \(credit.sequence)\(credit.done ? ", done" : credit.failed ? ", failed" : "")"
    }
  }

  private static func name(_ body: WireRequest.OneOf_Body) -> String { caseName("\(body)") }
  private static func name(_ body: WireResponse.OneOf_Body) -> String { caseName("\(body)") }
  private static func caseName(_ text: String) -> String { String(text.prefix { $0 != "(" }) }

  private static func words(_ message: GroupMessage) -> String {
    let raft = message.message
    var words = "group \(message.group) \(raft.kind) term \(raft.term)"
    if raft.index > .zero { words += " index \(raft.index)@\(raft.logTerm)" }
    if raft.commit > .zero { words += " commit \(raft.commit)" }
    if let last = raft.entries.last { words += " entries to \(last.index)@\(last.term)" }
    if raft.quiescent { words += " quiescent" }
    if raft.reject { words += " rejects, hint \(raft.rejectHint)@\(raft.hintTerm)" }
    return words
  }
}
