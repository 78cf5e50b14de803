import Bytes
import Wire

/// What one node sends to a watch: the changes of the partitions that it leads, part after part, in the order of their
/// versions.
final class WatchSource {
  let address: String
  private let client: Client
  private let query: WatchQuery
  private let parts: [ClusterMap.Part]
  /// All its changes up to here have arrived.
  private(set) var through: Version
  private var records: [Record] = []
  private var place = 0
  private var question: (link: Link, id: UInt64, sentAt: UInt64)?

  init(_ client: Client, _ query: WatchQuery, address: String, parts: [ClusterMap.Part], after: Version) {
    self.client = client
    self.query = query
    self.address = address
    self.parts = parts
    through = after
  }

  deinit {
    if let question { question.link.forget(question.id) }
  }

  /// The next change, of those that have arrived.
  var next: Record? { place < records.count ? records[place] : nil }
  /// Its version.
  var head: Version? { place < records.count ? records[place].version : nil }

  /// Takes the next change.
  func take() -> Record {
    precondition(place < records.count, "a source without a change was asked for it")
    defer { place += 1 }
    return records[place]
  }

  /// Whether the next change up to a version is not known yet.
  func isHungry(below end: Version) -> Bool { place == records.count && through < end }

  /// Notes that others have said that there is nothing up to a version.
  func skip(to version: Version) { through = max(through, version) }

  /// The channel on which an answer is waited for.
  var channel: (any Channel)? { question?.link.channel }

  /// Sends a question, if none is under way: for the changes up to a version, or whether there are any.
  func ask(through end: Version?, time: UInt64, until deadline: UInt64) throws(ChannelFailure) {
    guard question == nil else { return }
    let link = try client.link(to: address, until: deadline)
    let request = client.request(.watch(query.request(parts, after: through, through: end)), time: time)
    link.gather(request)
    do throws(ChannelFailure) {
      try link.flush(until: deadline)
    } catch {
      client.drop(link)
      throw error
    }
    question = (link, request.id, client.surroundings.now)
  }

  /// The answer to the question under way; nil where none has come by a moment.
  func answer(until deadline: UInt64) throws(ChannelFailure) -> WireResponse.OneOf_Body? {
    guard let (link, id, _) = question else { return nil }
    do throws(ChannelFailure) {
      guard let answer = try link.answer(to: id, until: deadline) else { return nil }
      link.lastHeard = client.surroundings.now
      question = nil
      return answer
    } catch {
      question = nil
      client.drop(link)
      throw error
    }
  }

  /// For how long the question under way has had no answer.
  var silence: UInt64 { question.map { client.surroundings.now - $0.sentAt } ?? 0 }

  /// Gives the node up: it has been silent for too long.
  func abandon() {
    if let question { client.drop(question.link) }
    question = nil
  }

  /// Takes in an answer's changes up to a version; says what is wrong with them, if anything is.
  func accept(_ answer: WireWatchResponse, end: Version) -> String? {
    var fresh: [Record] = []
    var reader = ByteReader(answer.records.array)
    let reached = Version(rawValue: answer.through)
    var last = through
    do throws(ByteError) {
      while !reader.isAtEnd {
        let record = try Record(from: &reader)
        guard record.version > through, record.version >= last, record.version <= reached, query.contains(record.key)
        else {
          return "sent a change out of order or that was not asked for"
        }
        last = record.version
        fresh.append(record)
      }
    } catch {
      return "sent changes that can't be read: \(error)"
    }
    guard reached > through, reached <= end else { return "sent changes up to \(reached) of those up to \(end)" }
    records = fresh
    place = 0
    through = reached
    return nil
  }
}
