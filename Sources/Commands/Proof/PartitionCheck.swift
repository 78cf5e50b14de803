import Bytes
import Client
import Wire

/// Compares the replicas of one partition after the other, and waits for what comes of it.
struct PartitionCheck {
  /// What came of one partition.
  enum Result {
    case checked(WireCheckReport, check: UInt64)
    /// Nothing could be compared, because of damage that its nodes know of, in words.
    case damaged(String)
    /// Nothing could be found out, and why.
    case failed(String)
  }

  let client: Client
  var prefix: [UInt8] = []
  /// Only what a read at this version shows; nil: all that is retained.
  var at: Version?
  /// The most bytes that each replica reads in a second; 0: no limit.
  var rate: UInt64 = 0
  /// Compares sums that are kept anyway, and reads nothing.
  var isQuick = false
  /// What all requests have in common, so that each node's log is read once for all of them.
  var round = UInt64.random(in: 1 ... .max)

  /// How many partitions are checked at once.
  static let ahead = 4
  /// How often a check that its leader lost is begun anew.
  private static let attempts = 3
  /// Between two questions after a check that is under way; the node takes its time to answer, too.
  private static let pauseMilliseconds: UInt64 = 20

  /// The same, which reads anew what was read for this one.
  var again: PartitionCheck {
    var again = self
    again.round = .random(in: 1 ... .max)
    return again
  }

  /// The partitions that there are, or those of them that are named, ascending.
  func partitions(_ named: [UInt32]) throws(CommandError) -> [UInt32] {
    let known = try asking { () throws(ClientError) in try client.map() }.partitions.map(\.group).sorted()
    if let stranger = named.first(where: { !known.contains($0) }) {
      throw .usage("there is no partition \(stranger); there are \(known.first ?? 0) to \(known.last ?? 0)")
    }
    return named.isEmpty ? known : Array(Set(named)).sorted()
  }

  /// Compares the replicas of a partition, or waits for what was begun. `show` is told how far it is.
  func run(
    _ group: UInt32, begun: UInt64? = nil, show: (_ done: UInt64, _ total: UInt64) -> Void
  ) throws(CommandError) -> Result {
    var begun = begun
    var last = "the partition's leader changed again and again"
    for _ in 0..<Self.attempts {
      defer { begun = nil }
      do throws(ClientError) {
        if let result = try attempt(group, begun: begun, show: show) { return result }
      } catch {
        if error.isDamage { return .failed("\(error)") }
        guard error.mayPass else { throw .client(error) }
        last = "\(error)"
      }
    }
    return .failed(last)
  }

  /// What a failure means where its nodes know of replicas that take no part any more, or are lost.
  func judged(_ failure: String, of group: UInt32) -> Result {
    let reports = (try? client.status()) ?? []
    let nodes = reports.filter { report in
      report.status?.groups.contains { $0.group == group && $0.fenced } ?? false
    }
    guard !nodes.isEmpty else {
      return ClusterHealth.loss(of: group, in: reports).map { .damaged("\($0): \(failure)") } ?? .failed(failure)
    }
    let names = nodes.map { "node \($0.member.id)" }.joined(separator: " and ")
    return .damaged("its replica on \(names) is damaged and takes no part, `kv status` says by what: \(failure)")
  }

  /// That nobody leads a partition, in words, where the cluster answers and none of its nodes does; else nil.
  func lackOfLeader(of group: UInt32) -> String? {
    let statuses = ((try? client.status()) ?? []).compactMap(\.status)
    let isLed = statuses.contains { $0.groups.contains { $0.group == group && $0.role == .leader } }
    return statuses.isEmpty || isLed ? nil : "no leader is known; `kv status` shows the cluster"
  }

  /// Begins the check of a partition, to be waited for by `run`; nil where it has no number to be asked after by.
  func begin(_ group: UInt32) throws(ClientError) -> UInt64? {
    let answer = try client.verify(request(group))
    return answer.check == 0 ? nil : answer.check
  }

  private func request(_ group: UInt32) -> WireVerifyRequest {
    .with {
      $0.group = group
      $0.prefix = .init(prefix)
      $0.at = at?.rawValue ?? 0
      $0.rate = rate
      $0.quick = isQuick
      $0.round = round
    }
  }

  /// Asks after a check that is not waited for yet.
  func touch(_ group: UInt32, _ number: UInt64) {
    let request = WireVerifyRequest.with { ($0.group, $0.check) = (group, number) }
    _ = try? client.verify(request)
  }

  /// One attempt; nil where the node that led it has lost it.
  private func attempt(
    _ group: UInt32, begun: UInt64?, show: (_ done: UInt64, _ total: UInt64) -> Void
  ) throws(ClientError) -> Result? {
    var request = request(group)
    if let begun { request.check = begun }
    while true {
      let answer = try client.verify(request)
      if answer.done {
        guard answer.hasReport, !answer.report.leaderChanged else { return nil }
        guard answer.report.at == request.at else {
          return .failed("the release of its leader's node can't check what there was at a version")
        }
        return .checked(answer.report, check: answer.check)
      }
      request.check = answer.check
      show(answer.bytesDone, answer.bytesTotal)
      ProcessFacts.sleep(milliseconds: Self.pauseMilliseconds)
    }
  }
}
