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
  /// What has arrived last, and how much of it was taken.
  private(set) var part = RangePart()
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

  /// The next record's key, of those that have arrived; valid as long as `part` is the same.
  var head: RangeHead? { place < part.count ? RangeHead(key: part.key(place), isReverse: rest.reverse) : nil }

  /// Whether its next record is not known yet.
  var isHungry: Bool { place == part.count && !isDry }

  /// How many records have arrived and were not taken.
  var stock: Int { part.count - place }

  /// Takes the record at the head.
  func take() -> RangeView {
    precondition(place < part.count, "a source without a head was asked for it")
    defer { place += 1 }
    // The key after the next is compared soon, and lies where nothing has been since it arrived.
    if place + 2 < part.count, let key = part.key(place + 2).baseAddress { Memory.prefetch(key, count: 1) }
    return part[place]
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
    let fresh: RangePart
    do throws(ByteError) {
      fresh = try RangePart(answer.records.array, hasEnds: false)
    } catch {
      return "sent records that can't be read: \(error)"
    }
    let order = rest.reverse ? 1 : -1
    var last: UnsafeRawBufferPointer?
    for place in 0..<fresh.count {
      let view = fresh[place]
      guard view.kind == .value, view.version <= version else {
        return "sent a record that is not alive at version \(version)"
      }
      guard last.map({ compareBytes($0, view.key).signum() == order }) ?? true else {
        return "sent a key out of order or out of the range"
      }
      last = view.key
    }
    if let last {
      // What is in order lies in the range if its ends do.
      let key = Key(Array(last))
      guard rest.contains(Key(Array(fresh.key(0)))), rest.contains(key) else {
        return "sent a key out of order or out of the range"
      }
      rest = rest.continued(after: key)
    } else if answer.more {
      return "sent an empty part and says there is more"
    }
    take(fresh, more: answer.more)
    return nil
  }

  private func take(_ fresh: RangePart, more: Bool) {
    part = fresh
    place = 0
    isDry = !more
  }

  /// The same for what changed. An empty part may have more behind it: the node looked at much that did not change.
  func accept(_ answer: WireChangesResponse) -> String? {
    let fresh: RangePart
    let start = rest
    do throws(ByteError) {
      fresh = try RangePart(answer.records.array, hasEnds: true)
    } catch {
      return "sent records that can't be read: \(error)"
    }
    for place in 0..<fresh.count {
      let view = fresh[place]
      let key = Key(Array(view.key))
      guard rest.contains(key, view.version) else { return "sent a record out of order or out of the range" }
      guard view.version <= version else { return "sent a record that is newer than \(version)" }
      rest = rest.continued(after: key, view.version)
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
    take(fresh, more: answer.more)
    return nil
  }

  /// Drops the question that is under way, if one is.
  func withdraw() {
    if case .asked(let link, let id) = question { link.forget(id) }
    question = .none
  }
}

/// The key at the head of a source, in the order of its range.
///
/// SAFETY: it lies in the source's part, which is not replaced before the head is.
struct RangeHead: Merged {
  let key: UnsafeRawBufferPointer
  let isReverse: Bool

  @inline(__always)
  func order(to other: RangeHead) -> Int {
    isReverse ? compareBytes(other.key, key) : compareBytes(key, other.key)
  }
}
