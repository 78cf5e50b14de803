import Bytes
import Client
import Wire

/// The status of a cluster as a table for people, and as one JSON object.
struct StatusTable {
  let reports: [NodeReport]
  let health: ClusterHealth
  /// The last entry of each group that some replica knows to be committed.
  private let commits: [UInt32: UInt64]

  init(_ reports: [NodeReport]) {
    self.reports = reports
    health = ClusterHealth(reports)
    commits = reports.compactMap(\.status).flatMap(\.groups).reduce(into: [:]) { commits, group in
      commits[group.group] = max(commits[group.group] ?? 0, group.commit)
    }
  }

  /// The committed entries that a node's replicas have yet to apply, as far as the answers show: they were given one
  /// after the other, so that under load a few are always missing.
  private func lag(_ status: WireStatusResponse) -> UInt64 {
    status.groups.reduce(0) { $0 + (commits[$1.group] ?? 0) - min($1.applied, commits[$1.group] ?? 0) }
  }

  /// The newest version that some partition holds.
  private var latest: Version {
    Version(rawValue: reports.compactMap(\.status).flatMap(\.groups).map(\.lastVersion).max() ?? 0)
  }

  /// The cluster's name, from the first member that answers.
  private var cluster: String { reports.lazy.compactMap(\.status?.cluster).first ?? "" }

  /// The table, and below it what is wrong.
  var text: String {
    var rows = [
      [
        "NODE", "ADDRESS", "ZONE", "WEIGHT", "STATE", "LEADS", "REPLICAS", "LAG", "MEMORY", "DISK FREE", "CERTIFICATE",
        "UPTIME", "PID",
      ]
    ]
    rows += reports.map(row)
    let partitions = Set(reports.compactMap(\.status).flatMap(\.groups).map(\.group)).subtracting([0]).count
    let size = "\(counted(reports.count, "node")), \(counted(partitions, "partition"))"
    var lines = ["cluster \(cluster): \(size), version \(latest)"]
    lines += TextTable.aligned(rows)
    lines += arrivals
    if let checks = checksLine(partitions) { lines.append(checks) }
    lines += notes.map { "note: \($0)" }
    lines += health.isHealthy ? ["healthy"] : health.problems.map { "problem: \($0)" }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What is under way, and waits for somebody.
  private var notes: [String] {
    reports.compactMap(\.status).flatMap(\.notes).map { Escaping.line($0) }
  }

  /// What the last checks of the partitions came to, as their leaders know; nil where there was none yet.
  private func checksLine(_ partitions: Int) -> String? {
    let checked = reports.compactMap(\.status).flatMap(\.groups).filter {
      // One that could not be compared on every replica says nothing.
      $0.checkedMs > 0 && $0.role == .leader && $0.checkOutcome != .notChecked
    }
    guard let oldest = checked.map(\.checkedMs).min() else { return nil }
    let equal = checked.count { $0.checkOutcome == .equal }
    let now = ProcessFacts.wallMilliseconds
    let age = StatusTable.duration(milliseconds: now > oldest ? now - oldest : 0)
    return "compared: \(checked.count) of \(partitions) partitions, \(equal) of them equal, the oldest \(age) ago"
  }

  private func row(_ report: NodeReport) -> [String] {
    let member = report.member
    let zone = member.zone.isEmpty ? "-" : Escaping.text(Array(member.zone.utf8))
    guard let status = report.status else {
      let state = member.departure == 2 ? "lost" : "no answer"
      return ["\(member.id)", member.address, zone, "\(member.share)", state] + Array(repeating: "-", count: 8)
    }
    let leads = status.groups.count { $0.role == .leader }
    return [
      "\(status.node)", member.address, zone, "\(member.share)", StatusTable.state(member), "\(leads)",
      "\(status.groups.count)", "\(lag(status))",
      StatusTable.size(status.residentBytes), StatusTable.size(status.diskFreeBytes),
      StatusTable.left(untilSeconds: status.certificateExpires),
      StatusTable.duration(milliseconds: status.uptimeMs), "\(status.pid)",
    ]
  }

  private static func state(_ member: WireMember) -> String {
    switch member.departure {
    case 0: "up"
    case 1: "leaving"
    default: "lost"
    }
  }

  /// The replicas that are on their way, and how far they are.
  private var arrivals: [String] {
    reports.compactMap(\.status).flatMap { status in
      status.groups.filter { $0.arrivingMs > 0 || $0.arrivingBytes > 0 }.map { group in
        let total = max(group.arrivingBytes, group.arrivedBytes)
        let start = "moving: \(group.group == 0 ? "the catalog" : "partition \(group.group)") to node \(status.node): "
        let rate = group.arrivingMs > 0 ? group.arrivedBytes * 1000 / group.arrivingMs : 0
        let left =
          rate > 0 ? ", \(StatusTable.duration(milliseconds: (total - group.arrivedBytes) * 1000 / rate)) left" : ""
        return start + "\(StatusTable.size(group.arrivedBytes)) of \(StatusTable.size(total))\(left)"
      }
    }
  }

  /// A number of bytes in the unit that keeps it short.
  static func size(_ bytes: UInt64) -> String {
    let (unit, shift): (String, UInt64) =
      switch bytes {
      case (1 << 40)...: ("TiB", 40)
      case (1 << 30)...: ("GiB", 30)
      case (1 << 20)...: ("MiB", 20)
      default: ("KiB", 10)
      }
    let tenths = (bytes * 10) >> shift
    return tenths >= 100 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
  }

  /// How long it is until a moment, in seconds since 1970.
  static func left(untilSeconds end: UInt64) -> String {
    let now = ProcessFacts.wallMilliseconds / 1000
    return end > now ? duration(milliseconds: (end - now) * 1000) : "expired"
  }

  /// A length of time in its two largest units.
  static func duration(milliseconds: UInt64) -> String {
    let seconds = milliseconds / 1000
    return switch seconds {
    case 86_400...: "\(seconds / 86_400)d\(seconds % 86_400 / 3600)h"
    case 3600...: "\(seconds / 3600)h\(seconds % 3600 / 60)m"
    case 60...: "\(seconds / 60)m\(seconds % 60)s"
    default: "\(seconds)s"
    }
  }
}

extension StatusTable {
  /// The whole status as one object.
  var object: JSONObject {
    var object = JSONObject()
    object.string("cluster", cluster)
    object.boolean("healthy", health.isHealthy)
    object.strings("problems", health.problems)
    object.strings("notes", notes)
    object.version("latest_version", latest)
    object.number("format", reports.compactMap(\.status?.format).max() ?? 0)
    object.objects("nodes", reports.map(nodeObject))
    return object
  }

  private func nodeObject(_ report: NodeReport) -> JSONObject {
    let member = report.member
    var object = JSONObject()
    object.number("node", member.id)
    object.string("address", member.address)
    object.string("zone", member.zone)
    object.number("weight", member.share)
    object.string("departure", ["", "leaving", "lost"][min(2, Int(member.departure))])
    object.boolean("up", report.status != nil)
    if let error = report.error { object.string("error", error) }
    guard let status = report.status else { return object }
    object.string("version", status.version)
    object.number("format", status.format)
    object.number("pid", status.pid)
    object.number("uptime_ms", status.uptimeMs)
    object.number("resident_bytes", status.residentBytes)
    object.number("disk_free_bytes", status.diskFreeBytes)
    object.boolean("read_only", status.readOnly)
    object.number("lag_entries", lag(status))
    object.number("log_bytes", status.logBytes)
    object.number("memtable_bytes", status.groups.reduce(0) { $0 + $1.memtableBytes })
    object.number("compaction_debt", status.groups.reduce(0) { $0 + $1.compactionDebt })
    object.number("retention_ms", status.retentionMs)
    object.number("move_rate", status.moveRate)
    object.version("floor", Version(rawValue: status.floor))
    object.strings("damage", status.damage)
    object.number("certificate_expires", status.certificateExpires)
    object.strings("problems", status.problems)
    object.objects("replicas", status.groups.map(replicaObject))
    return object
  }

  private func replicaObject(_ group: WireStatusResponse.GroupStatus) -> JSONObject {
    var object = JSONObject()
    object.number("group", group.group)
    object.string("replica", "\(ReplicaID(rawValue: group.replica))")
    object.string("role", StatusTable.name(of: group.role))
    object.number("term", group.term)
    object.number("leader_node", ReplicaID(rawValue: group.leader).node.rawValue)
    object.number("commit", group.commit)
    object.number("applied", group.applied)
    object.number("last", group.last)
    object.strings("voters", group.voters.map { "\(ReplicaID(rawValue: $0))" })
    object.strings("learners", group.learners.map { "\(ReplicaID(rawValue: $0))" })
    object.number("memtable_bytes", group.memtableBytes)
    object.number("table_bytes", group.tableBytes)
    object.number("history_bytes", group.historyBytes)
    object.number("compaction_debt", group.compactionDebt)
    object.string("pressure", StatusTable.pressure(group.pressure))
    object.boolean("fenced", group.fenced)
    if group.arrivingMs > 0 || group.arrivingBytes > 0 {
      object.number("arrived_bytes", group.arrivedBytes)
      object.number("arriving_bytes", group.arrivingBytes)
      object.number("arriving_ms", group.arrivingMs)
    }
    if group.checkedMs > 0 {
      object.number("checked_ms", group.checkedMs)
      object.string("check_outcome", CheckReport.name(of: group.checkOutcome))
    }
    object.version("last_version", Version(rawValue: group.lastVersion))
    return object
  }

  private static func pressure(_ level: UInt32) -> String {
    switch level {
    case 0: "none"
    case 1: "slow"
    default: "stop"
    }
  }

  private static func name(of role: WireStatusResponse.GroupStatus.Role) -> String {
    switch role {
    case .follower: "follower"
    case .candidate: "candidate"
    case .leader: "leader"
    case .learner: "learner"
    case .UNRECOGNIZED(let number): "role \(number)"
    }
  }
}
