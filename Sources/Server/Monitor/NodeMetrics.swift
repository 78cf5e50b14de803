import Bytes
import Wire

extension MonitorSnapshot {
  /// All metrics, which kv-metrics(7) describes one by one: a test compares the two.
  var metrics: String {
    var text = MetricsText()
    addProcess(to: &text)
    addCluster(to: &text)
    addStorage(to: &text)
    addChecks(to: &text)
    addWork(to: &text)
    return text.text
  }

  private func addProcess(to text: inout MetricsText) {
    text.gauge(
      "kv_build_info", "The release that runs, as a label.", [(MetricsText.label("version", status.version), 1)])
    text.gauge("kv_uptime_seconds", "How long the process has run.", [("", Double(status.uptimeMs) / 1000)])
    text.counter(
      "kv_processor_seconds_total", "Time that the process has spent on processors.", [("", ProcessUse.seconds)])
    text.gauge("kv_resident_bytes", "Memory of the process that is in RAM.", status.residentBytes)
    text.gauge("kv_open_descriptors", "Files and sockets that the process has open.", ProcessUse.openDescriptors)
    text.gauge(
      "kv_certificate_expires_seconds", "When the node's certificate ends, in seconds since 1970.",
      status.certificateExpires)
    text.gauge("kv_connections", "Connections of clients and nodes to this node.", connections)
    text.gauge("kv_peers_connected", "Other nodes to which this one has a connection.", peersConnected)
  }

  private func addCluster(to text: inout MetricsText) {
    text.gauge("kv_members", "Nodes of the cluster.", status.members.count)
    text.gauge(
      "kv_replicas", "Replicas on this node, the catalog's among them, by their role.",
      roles.map { (MetricsText.label("role", $0.name), Double($0.count)) })
    text.gauge(
      "kv_fenced_replicas", "Replicas that take no part until they are replaced.", status.groups.count(where: \.fenced))
    text.gauge("kv_leaderless_replicas", "Replicas that know of no leader.", leaderlessGroups)
    text.gauge(
      "kv_apply_lag_entries", "The most log entries that a replica here knows to be committed and has not applied.",
      status.groups.map { $0.commit - min($0.commit, $0.applied) }.max() ?? 0)
    text.gauge("kv_cluster_format", "The newest format that logs and files of the cluster may use.", status.format)
    text.gauge("kv_moving_partitions", "Partitions whose wanted replicas aren't all in place.", status.moving)
    text.gauge("kv_problems", "What is wrong on this node: the lines of kv status.", status.problems.count)
    text.gauge(
      "kv_retention_seconds", "How long old versions are kept.", [("", Double(status.retentionMs) / 1000)])
    text.gauge(
      "kv_floor_seconds", "The time of the oldest version still readable, in seconds since 1970.",
      [("", Double(Version(rawValue: status.floor).milliseconds) / 1000)])
    text.counter("kv_elections_won_total", "How often a replica here became leader.", counters.electionsWon)
    text.counter(
      "kv_consensus_messages_total", "Heartbeats, entries, votes and answers sent to other nodes.",
      counters.consensusMessages)
  }

  /// How many replicas have each role, every role named.
  private var roles: [(name: String, count: Int)] {
    let all: [(String, WireStatusResponse.GroupStatus.Role)] = [
      ("leader", .leader), ("follower", .follower), ("candidate", .candidate), ("learner", .learner),
    ]
    return all.map { name, role in (name, status.groups.count { $0.role == role }) }
  }

  private func addStorage(to text: inout MetricsText) {
    func sum(_ bytes: (WireStatusResponse.GroupStatus) -> UInt64) -> UInt64 {
      status.groups.reduce(0) { $0 + bytes($1) }
    }
    text.gauge("kv_disk_free_bytes", "Room on the disk of the node's directory.", status.diskFreeBytes)
    text.gauge(
      "kv_disk_full", "1 while the disk, or the table of open files, is full: deletions alone are taken.",
      status.readOnly ? 1 : 0)
    text.gauge("kv_damaged_places", "Places in files that could not be read.", status.damage.count)
    text.gauge(
      "kv_request_sessions", "Clients whose request ids partitions here remember, once for each partition.",
      sum(\.sessions))
    text.gauge(
      "kv_request_outcomes", "Outcomes of writes that partitions here remember by request id.", sum(\.outcomes))
    text.gauge("kv_log_bytes", "The log's segments in use.", status.logBytes)
    text.gauge("kv_memtable_bytes", "Records in memory that are not flushed yet.", sum(\.memtableBytes))
    text.gauge("kv_table_bytes", "Tables of current records.", sum(\.tableBytes))
    text.gauge("kv_history_bytes", "Tables of history.", sum(\.historyBytes))
    text.gauge("kv_compaction_debt_bytes", "What compactions have still to read.", sum(\.compactionDebt))
    text.gauge(
      "kv_slowed_partitions", "Partitions here whose writes are slowed down (slow) or wait (stop).",
      [("slow", 1), ("stop", 2)].map { (MetricsText.label("pressure", $0.0), Double(count(pressure: $0.1))) })
    text.counter("kv_flushes_total", "Memtables flushed.", counters.flushes)
    text.counter("kv_flushed_bytes_total", "Tables that flushes wrote.", counters.flushedBytes)
    text.counter("kv_compactions_total", "Compactions done.", counters.compactions)
    text.counter("kv_compacted_bytes_total", "Tables that compactions wrote.", counters.compactedBytes)
  }

  private func addChecks(to text: inout MetricsText) {
    let led = status.groups.filter { $0.role == .leader && $0.group != GroupID.catalog.rawValue }
    let kinds: [(name: String, outcome: WireCheckedReplica.Outcome)] = [
      ("equal", .equal), ("differs", .differs), ("damaged", .damaged), ("not_checked", .notChecked),
    ]
    let never = led.count { $0.checkedMs == 0 }
    text.gauge(
      "kv_checked_partitions", "Partitions led here, by what the last comparison of their replicas came to.",
      kinds.map { kind in
        let count = led.count { $0.checkedMs > 0 && $0.checkOutcome == kind.outcome }
        return (MetricsText.label("outcome", kind.name), Double(count))
      } + [(MetricsText.label("outcome", "never"), Double(never))])
    let oldest = led.map(\.checkedMs).filter { $0 > 0 }.min() ?? 0
    text.gauge(
      "kv_oldest_check_seconds", "When the oldest of these was made, in seconds since 1970; 0: none was.",
      [("", Double(oldest) / 1000)])
  }

  private func count(pressure: UInt32) -> Int { status.groups.count { $0.pressure == pressure } }

  private func addWork(to text: inout MetricsText) {
    let kinds = RequestMeter.Kind.allCases.map { (label: MetricsText.label("kind", $0.rawValue), tally: requests[$0]) }
    text.histogram(
      "kv_request_seconds", "From when a request was read until its answer was ready.", scale: 1e-9, places: 13...34,
      kinds.map { ($0.label, $0.tally.latency) })
    text.counter(
      "kv_request_failures_total", "Requests answered with a failure, false conditions among them.",
      kinds.map { ($0.label, Double($0.tally.failures)) })
    text.counter("kv_received_bytes_total", "Requests and messages read, without TLS.", requests.receivedBytes)
    text.counter("kv_sent_bytes_total", "Answers sent, without TLS.", requests.sentBytes)
    text.histogram(
      "kv_log_write_seconds", "From when a batch was given to the log until it was durable.", scale: 1e-9,
      places: 13...34, [("", counters.logWrite)])
    text.histogram(
      "kv_log_batch_entries", "Entries that were made durable together.", scale: 1, places: 0...12,
      [("", counters.batchEntries)])
    text.counter("kv_logged_bytes_total", "Payloads of the entries written to the log.", counters.loggedBytes)
  }
}
