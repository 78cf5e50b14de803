import Bytes
import Testing
import Wire

@testable import Client
@testable import Commands

@Suite("Health")
struct HealthTests {
  @Test("A cluster whose members answer, lead and follow closely is healthy")
  func healthy() {
    #expect(ClusterHealth(Self.reports()).problems == [])
  }

  @Test("A member that doesn't answer is named, with the reason")
  func silent() {
    var reports = Self.reports()
    reports[2] = NodeReport(member: reports[2].member, status: nil, error: "connection refused")
    let problems = ClusterHealth(reports).problems
    #expect(problems.first == "node 3 at 127.0.0.1:3: connection refused")
  }

  @Test("A partition without a leader is named")
  func leaderless() {
    let reports = Self.reports { status in
      for index in status.groups.indices where status.groups[index].group == 5 { status.groups[index].role = .follower }
    }
    #expect(ClusterHealth(reports).problems == ["partition 5 has no leader"])
  }

  @Test("A partition whose majority is lost is named with the way out, unless a silent node may bring one back")
  func noMajority() {
    var reports = Self.reports { status in
      for index in status.groups.indices where status.groups[index].group == 5 {
        status.groups[index].role = .follower
        status.groups[index].fenced = status.node > 1
      }
    }
    let words = "partition 5: 2 of 3 replicas are lost, and nobody can be elected: see kv-recover(1)"
    #expect(ClusterHealth(reports).problems == [words])
    reports[2] = NodeReport(member: reports[2].member, status: nil, error: "connection refused")
    #expect(ClusterHealth(reports).problems.contains("partition 5 has no leader"))
    // One that was given a new id, as whom nobody can take it in.
    let renewed = Self.reports { status in
      for index in status.groups.indices where status.groups[index].group == 5 {
        status.groups[index].role = .follower
        if status.node > 1 { status.groups[index].replica += 7 }
      }
    }
    #expect(ClusterHealth(renewed).problems.contains(words))
    // Nodes that have just started tell of no replica yet: theirs are not lost.
    let starting = Self.reports { status in
      if status.node > 1 { status.groups.removeAll { $0.group == 5 } }
      for index in status.groups.indices where status.groups[index].group == 5 {
        status.groups[index].role = .follower
      }
    }
    #expect(ClusterHealth(starting).problems == ["partition 5 has no leader"])
  }

  @Test("A node whose replicas hear of no leader is named, though they are hardly behind")
  func stray() {
    let reports = Self.reports { status in
      guard status.node == 3 else { return }
      for index in status.groups.indices { status.groups[index].leader = 0 }
    }
    #expect(ClusterHealth(reports).problems == ["node 3: 2 replicas hear of no leader"])
  }

  @Test("A leader of an older term than a replica has seen counts for nothing")
  func deposed() {
    let reports = Self.reports { status in
      if status.node == 2 { status.groups[0].term = 9 }
    }
    #expect(ClusterHealth(reports).problems == ["the catalog has no leader"])
  }

  @Test("A replica far behind its leader, a learner and a missing voter are named")
  func replicas() {
    let behind = Self.reports { status in
      if status.node == 3 { status.groups[1].applied = 99 }
      for index in status.groups.indices where status.groups[index].role == .leader {
        status.groups[index].commit = 5000
      }
      if status.node != 3 { for index in status.groups.indices { status.groups[index].applied = 5000 } }
      if status.node == 3 { status.groups[0].applied = 4500 }
    }
    #expect(ClusterHealth(behind).problems == ["partition 5: the replica on node 3 is 4901 entries behind"])
    let learner = Self.reports { status in
      for index in status.groups.indices where status.groups[index].group == 5 {
        status.groups[index].learners = [status.groups[index].voters.removeLast()]
      }
    }
    #expect(
      ClusterHealth(learner).problems
        == ["partition 5 has 2 of 3 voters", "partition 5: the replica on node 3 is still a learner"])
  }

  @Test("A voter that gets the whole state has not caught up, however few entries it is behind")
  func stateless() {
    let waiting = Self.reports { status in
      for index in status.groups.indices where status.groups[index].role == .leader && status.groups[index].group == 5 {
        status.groups[index].stateless = [status.groups[index].voters[2]]
      }
    }
    let words = "partition 5: the replica on node 3 gets the whole state: the log doesn't reach back far enough"
    #expect(ClusterHealth(waiting).problems == [words])
    let arriving = Self.reports { status in
      if status.node == 3 { status.groups[1].arrivingMs = 20 }
    }
    #expect(ClusterHealth(arriving).problems == [words])
  }

  @Test("What is wrong with many partitions is said once, with all of their numbers")
  func together() {
    var findings = GroupFindings()
    for group in [0, 1, 2, 3, 5, 8, 9] as [UInt32] {
      findings.note(.unreported(NodeID(rawValue: 3)), of: group)
      if group > 3 { findings.note(.noLeader, of: group) }
      if group > 7 { findings.note(.missingVoters(2, wanted: 3), of: group) }
      findings.note(.behind(NodeID(rawValue: 2)), of: group, entries: UInt64(1_000 + group % 8))
    }
    findings.note(.learner(NodeID(rawValue: 1)), of: 9)
    #expect(
      findings.words == [
        "the catalog and partitions 1 to 3, 5, 8 to 9: the replicas on node 3 are not reported",
        "the catalog and partitions 1 to 3, 5, 8 to 9: the replicas on node 2 are up to 1005 entries behind",
        "partitions 5, 8 to 9 have no leader", "partitions 8 to 9 have 2 of 3 voters",
        "partition 9: the replica on node 1 is still a learner",
      ])
    #expect(GroupFindings.name([0]) == "the catalog" && GroupFindings.name([7]) == "partition 7")
  }

  @Test("Problems that nodes report, and partitions on the move, are named")
  func reported() {
    let reports = Self.reports { status in
      if status.node == 1 { status.problems = ["the disk is full"] }
      status.moving = 2
    }
    #expect(
      ClusterHealth(reports).problems
        == ["node 1: the disk is full", "2 partitions wait for replicas to be put in place"])
  }

  @Test("One node alone is healthy with one voter each")
  func alone() {
    let reports = Self.reports(nodes: 1)
    #expect(ClusterHealth(reports).isHealthy)
  }

  @Test("The table names every node, and below what is wrong")
  func table() {
    var reports = Self.reports()
    reports[1] = NodeReport(member: reports[1].member, status: nil, error: "timed out")
    let lines = StatusTable(reports).text.split(separator: "\n")
    #expect(lines[0] == "cluster test: 3 nodes, 1 partition, version 0")
    #expect(lines[2].hasPrefix("1     127.0.0.1:1"))
    #expect(lines[3].contains("no answer"))
    #expect(lines[5] == "problem: node 2 at 127.0.0.1:2: timed out")
    let object = String(decoding: StatusTable(reports).object.finished, as: UTF8.self)
    #expect(object.hasPrefix(#"{"cluster":"test","healthy":false,"problems":["node 2"#))
  }

  @Test("A column is as wide as its widest cell shows on a terminal")
  func widths() {
    let rows = [["ZONE", "N"], ["東京", "1"], ["e\u{301}té", "2"], ["🗼", "3"], ["rack", "4"], ["-", "5"]]
    #expect(
      TextTable.aligned(rows) == ["ZONE  N", "東京  1", "e\u{301}té   2", "🗼    3", "rack  4", "-     5"])
  }

  @Test("What is counted is in the singular if it is one")
  func singular() {
    #expect([0, 1, 2].map { counted($0, "node") } == ["0 nodes", "1 node", "2 nodes"])
  }

  @Test("Sizes and times are short")
  func units() {
    #expect(StatusTable.size(0) == "0.0 KiB")
    #expect(StatusTable.size(1536) == "1.5 KiB")
    #expect(StatusTable.size(300 << 20) == "300 MiB")
    #expect(StatusTable.duration(milliseconds: 59_999) == "59s")
    #expect(StatusTable.duration(milliseconds: 90_061_000) == "1d1h")
  }

  /// Members with a catalog and partition 5 everywhere, led by node 1, changed by `change`.
  private static func reports(
    nodes: UInt32 = 3, _ change: (inout WireStatusResponse) -> Void = { _ in }
  ) -> [NodeReport] {
    (1...nodes).map { node in
      var member = WireMember()
      member.id = node
      member.address = "127.0.0.1:\(node)"
      var status = WireStatusResponse()
      status.node = node
      status.cluster = "test"
      status.groups = [0, 5].map { (group: UInt32) in
        var replica = WireStatusResponse.GroupStatus()
        replica.group = group
        replica.replica = ReplicaID(node: NodeID(rawValue: node), incarnation: 1).rawValue
        replica.role = node == 1 ? .leader : .follower
        replica.term = 3
        replica.leader = ReplicaID(node: NodeID(rawValue: 1), incarnation: 1).rawValue
        replica.voters = (1...nodes).map { ReplicaID(node: NodeID(rawValue: $0), incarnation: 1).rawValue }
        return replica
      }
      change(&status)
      return NodeReport(member: member, status: status, error: nil)
    }
  }
}
