import Bytes
import HashRing
import Node
import Wire

/// All that was seen of a run: what the clients were told, and what the nodes applied. What the nodes applied is the
/// truth, once it is sure that all applied the same; what clients were told is held against it.
final class RunRecord {
  /// A write that was applied.
  struct Applied: Equatable {
    let version: Version
    let value: [UInt8]?
    let id: WriteID
  }

  /// The request id of a write: its client and the client's number for it.
  struct WriteID: Hashable {
    let client: Int
    let sequence: UInt64
  }

  /// A range over some keys at one version.
  struct RangeAnswer {
    let at: Version
    let asked: [[UInt8]]
    let found: [[UInt8]: (version: Version, value: [UInt8])]
  }

  /// What some replica had, and how old it said that may be.
  struct Glimpse {
    let key: [UInt8]
    /// Nil: nothing.
    let value: [UInt8]?
    let version: Version
    /// Nil: it didn't know.
    let lagMilliseconds: UInt64?
    /// When it was asked for, by the world's time.
    let sent: UInt64
  }

  private struct Place: Equatable {
    let term: Term
    let digest: UInt64
  }

  private(set) var operations: [Operation] = []
  private(set) var ranges: [RangeAnswer] = []
  /// Versions that were said to be the latest, and when they were asked for.
  private(set) var latest: [(asked: UInt64, version: Version)] = []
  private(set) var glimpses: [Glimpse] = []
  /// Every key's writes, in the order of their versions.
  private(set) var writes: [[UInt8]: [Applied]] = [:]
  /// Every applied write's version, by request id.
  private(set) var versions: [WriteID: Version] = [:]
  /// The keys of every batch that was asked for, by request id.
  private(set) var batches: [WriteID: [[UInt8]]] = [:]
  private(set) var failures: [String] = []
  private(set) var entries = 0
  /// How many replicas checks had these things to say of.
  private(set) var checked: [String: Int] = [:]
  let keys: [[UInt8]]
  private var log: [GroupID: [LogIndex: Place]] = [:]
  /// The last entry of each group that any node applied.
  private(set) var lastSeen: [GroupID: LogIndex]
  private let earlier: [GroupID: LogIndex]
  private var owners: [Version: WriteID] = [:]
  private var told: [Version] = []

  /// A record of what comes after some entries.
  init(keys: Int, prefix: String = "key", after applied: [GroupID: LogIndex] = [:]) {
    self.keys = (0..<keys).map { Array("\(prefix)\($0)".utf8) }
    earlier = applied
    lastSeen = applied
  }

  func fail(_ words: @autoclosure () -> String) {
    if failures.count < 20 { failures.append(words()) }
  }

  // MARK: What nodes apply

  /// A node applies an entry: every other must apply the same at that place.
  func applied(_ entry: LogEntry, of group: GroupID, on host: Node) {
    guard entry.index > earlier[group] ?? .zero else { return }
    let node = host.id
    let place = Place(
      term: entry.term, digest: Position(ofBytes: entry.payload).rawValue ^ UInt64(entry.kind.rawValue))
    if let known = log[group]?[entry.index] {
      if known != place {
        fail("committed entries differ: node \(node) applies another entry \(entry.index) of group \(group)")
      }
      return
    }
    if let last = lastSeen[group], entry.index != last.next {
      fail("an entry was skipped: node \(node) applies \(entry.index) of group \(group) after \(last)")
    }
    lastSeen[group] = max(entry.index, lastSeen[group] ?? .zero)
    log[group, default: [:]][entry.index] = place
    entries += 1
    guard group != .catalog else { return }
    do {
      for write in try host.writes(in: entry, of: group) { add(write) }
    } catch {
      fail("entry \(entry.index) of group \(group) can't be read: \(error)")
    }
  }

  private func add(_ write: Node.LoggedWrite) {
    let id = WriteID(client: Int(write.session[1]), sequence: write.sequence)
    add(Applied(version: write.version, value: write.value, id: id), to: write.key)
  }

  /// A write was applied, for the first time anywhere.
  func add(_ write: Applied, to key: [UInt8]) {
    // The writes of a batch share both; that none is there twice, the versions of its key show.
    if let earlier = versions[write.id], earlier != write.version {
      fail("a request id was applied twice: \(write.id), at versions \(earlier) and \(write.version)")
    }
    if let owner = owners[write.version], owner != write.id {
      fail("version \(write.version) was given out twice: to \(owner) and \(write.id)")
    }
    versions[write.id] = write.version
    owners[write.version] = write.id
    if let last = writes[key]?.last, last.version >= write.version {
      fail("versions of a key go backwards: \(write.version) after \(last.version)")
    }
    writes[key, default: []].append(write)
  }

  // MARK: What checks find

  /// The cluster compared the replicas of a partition while it worked: sound ones never differ.
  func checked(_ report: WireCheckReport, mayHaveDamage: Bool) {
    for replica in report.replicas {
      checked["\(replica.outcome)", default: 0] += 1
      let isFault =
        switch replica.outcome {
        case .differs: true
        case .damaged: !mayHaveDamage
        default: false
        }
      guard isFault else { continue }
      fail(
        "a check of partition \(report.group) at entry \(report.index) calls replica \(ReplicaID(rawValue: replica.replica)) \(replica.outcome): \(replica.damage.first?.words ?? report.differences.first.map { String(decoding: $0.key, as: UTF8.self) } ?? report.undecided)"
      )
    }
  }

  // MARK: What clients see

  func add(_ operation: Operation) {
    operations.append(operation)
    if case .done(let version) = operation.outcome, version > .zero { told.append(version) }
  }

  func addBatch(_ keys: [[UInt8]], client: Int, sequence: UInt64) {
    batches[WriteID(client: client, sequence: sequence)] = keys
  }

  func glimpsed(_ key: [UInt8], _ value: [UInt8]?, _ version: Version, lagMilliseconds: UInt32, sent: UInt64) {
    glimpses.append(
      Glimpse(
        key: key, value: value, version: version,
        lagMilliseconds: lagMilliseconds == .max ? nil : UInt64(lagMilliseconds),
        sent: sent))
  }

  /// A version at which somebody may read: one that was told, or its neighbour. Half of the time one of the newest, which
  /// not all replicas may know yet.
  func someVersion(_ random: inout SplitMix64) -> Version {
    let choice = Bool.random(using: &random) ? told.suffix(8) : told[...]
    guard let version = choice.randomElement(using: &random) else { return .zero }
    return Bool.random(using: &random) ? version : Version(rawValue: version.rawValue - 1)
  }

  func ranged(
    _ partitions: [WireMapResponse.Partition], _ response: WireRangeResponse, at version: Version, since asked: UInt64?
  ) {
    if let asked { latest.append((asked, version)) }
    guard !response.more else { return }
    let arcs = partitions.compactMap { try? Arc(validating: UInt64($0.bits), prefix: $0.prefix) }
    var found: [[UInt8]: (version: Version, value: [UInt8])] = [:]
    var reader = ByteReader(response.records.array)
    while !reader.isAtEnd {
      guard let record = try? Record(from: &reader) else { return fail("a range's records can't be read") }
      if found.updateValue((record.version, record.value), forKey: record.key.bytes) != nil {
        fail("a range gives a key twice")
      }
    }
    ranges.append(
      RangeAnswer(
        at: version, asked: keys.filter { key in arcs.contains { $0.contains(Position(ofBytes: key)) } }, found: found))
  }
}
