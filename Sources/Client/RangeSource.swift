import Bytes
import HashRing
import Wire

/// What one node sends of a range: the records of the partitions that it leads, part after part, in order.
final class RangeSource {
  let address: String
  let parts: [ClusterMap.Part]
  private let client: Client
  private let version: Version
  /// What has not arrived yet.
  private(set) var rest: RangeQuery
  private var question = Question.none
  /// Whether the node has no more.
  private var isDry = false
  private var records: [Lifespan] = []
  private var place = 0

  private enum Question {
    case none
    case asked(Link, UInt64)
    /// It could not be asked. That shows when its records are needed.
    case failed(Outcome)
  }

  init(_ client: Client, address: String, parts: [ClusterMap.Part], rest: RangeQuery, at version: Version) {
    self.client = client
    self.address = address
    self.parts = parts
    self.rest = rest
    self.version = version
  }

  deinit {
    withdraw()
  }

  /// The next record's key, of those that have arrived.
  var head: Key? { place < records.count ? records[place].record.key : nil }

  /// Whether its next record is not known yet.
  var isHungry: Bool { place == records.count && !isDry }

  /// How many records have arrived and were not taken.
  var stock: Int { records.count - place }

  /// Takes the record at the head.
  func take() -> Lifespan {
    precondition(place < records.count, "a source without a head was asked for it")
    defer { place += 1 }
    return records[place]
  }

  /// Sends the question for the next part, if there is one and it isn't under way. `limit`: about how many records
  /// are of use; 0: all.
  func ask(limit: Int, until deadline: UInt64) {
    guard case .none = question, !isDry else { return }
    do throws(ChannelFailure) {
      let link = try client.link(to: address, until: deadline)
      let time = client.answerTime(until: deadline)
      let body: WireRequest.OneOf_Body =
        if let changes = rest.changes {
          .changes(rest.request(parts: parts, at: version, changes: changes))
        } else {
          .range(rest.request(parts: parts, at: version, limit: limit))
        }
      let request = client.request(body, time: time)
      link.gather(request)
      question = .asked(link, request.id)
      do throws(ChannelFailure) {
        try link.flush(until: deadline)
      } catch {
        client.drop(link)
        question = .failed(Client.outcome(of: error, on: link))
      }
    } catch {
      question = .failed(.unsent(error))
    }
  }

  /// Waits for the answer to what was asked; the records in it are taken in by `accept`.
  func answer(until deadline: UInt64) -> Outcome {
    defer { question = .none }
    switch question {
    case .none: return .lost("was not asked")
    case .failed(let outcome): return outcome
    case .asked(let link, let id):
      do throws(ChannelFailure) {
        let time = client.answerTime(until: deadline)
        if let answer = try link.answer(to: id, until: client.surroundings.now + time) { return .answered(answer) }
        client.drop(link)
        return .lost("gave no answer within \(time) ms")
      } catch {
        client.drop(link)
        return Client.outcome(of: error, on: link)
      }
    }
  }

  /// Takes in an answer's records; says what is wrong with them, if anything is.
  func accept(_ answer: WireRangeResponse) -> String? {
    var fresh: [Lifespan] = []
    var reader = ByteReader(answer.records.array)
    do throws(ByteError) {
      while !reader.isAtEnd { fresh.append(Lifespan(try Record(from: &reader), to: .max)) }
    } catch {
      return "sent records that can't be read: \(error)"
    }
    guard fresh.allSatisfy({ $0.record.kind == .value && $0.record.version <= version }) else {
      return "sent a record that is not alive at version \(version)"
    }
    if let first = fresh.first?.record.key, let last = fresh.last?.record.key {
      // What is in order lies in the range if its ends do.
      guard rest.contains(first), rest.contains(last), isInOrder(fresh) else {
        return "sent a key out of order or out of the range"
      }
      rest = rest.continued(after: last)
    } else if answer.more {
      return "sent an empty part and says there is more"
    }
    records = fresh
    place = 0
    isDry = !answer.more
    return nil
  }

  /// Whether each key comes before the next in the order of the range.
  private func isInOrder(_ records: [Lifespan]) -> Bool {
    let order = rest.reverse ? 1 : -1
    return records.indices.dropFirst().allSatisfy { place in
      compareBytes(records[place - 1].record.key.bytes, records[place].record.key.bytes).signum() == order
    }
  }

  /// The same for what changed. An empty part may have more behind it: the node looked at much that did not change.
  func accept(_ answer: WireChangesResponse) -> String? {
    var fresh: [Lifespan] = []
    let start = rest
    var reader = ByteReader(answer.records.array)
    do throws(ByteError) {
      while !reader.isAtEnd { fresh.append(try Lifespan(from: &reader)) }
    } catch {
      return "sent records that can't be read: \(error)"
    }
    for span in fresh {
      guard rest.contains(span.record) else { return "sent a record out of order or out of the range" }
      guard span.record.version <= version else { return "sent a record that is newer than \(version)" }
      rest = rest.continued(after: span)
    }
    if answer.more {
      var resumed = rest
      resumed.min = Key(answer.resumeKey.array)
      resumed.below = Version(rawValue: answer.resumeBelow)
      guard resumed != start, rest.min.map({ $0 <= resumed.min ?? $0 }) ?? true else {
        return "sent a part that goes on where it began"
      }
      rest = resumed
    }
    records = fresh
    place = 0
    isDry = !answer.more
    return nil
  }

  /// Drops the question that is under way, if one is.
  func withdraw() {
    if case .asked(let link, let id) = question { link.forget(id) }
    question = .none
  }
}
