import Bytes
import HashRing
import Store
import Wire

extension Partition {
  /// Gives the next part of a key's kept versions, as of now.
  func history(_ request: WireHistoryRequest, reply: @escaping Reply) {
    whenReadable(at: .max) { [self] failure in
      if let failure { return reply(failure) }
      guard serves(Position(ofBytes: request.key.array)) else { return reply(notLeader) }
      do throws(StoreError) {
        reply(.history(try readHistory(request)))
      } catch {
        reply(node.failure(error, of: group))
      }
    }
  }

  private func readHistory(_ request: WireHistoryRequest) throws(StoreError) -> WireHistoryResponse {
    let credit = min(max(Int(request.credit), 1), Limits.rangeCredit.rawValue)
    let limit = request.limit == 0 ? Int.max : Int(request.limit)
    let before = request.before == 0 ? Version.max : Version(rawValue: request.before)
    let after = Version(rawValue: request.after)
    var response = WireHistoryResponse()
    var writer = ByteWriter()
    var count = 0
    try store.history(of: Key(request.key.array), before: before) { view in
      guard view.version > after else { return false }
      guard count < limit, writer.count < credit else {
        response.more = true
        return false
      }
      view.record.encode(into: &writer)
      count += 1
      return true
    }
    response.records = writer.data
    return response
  }
}
