import Bytes
import HashRing
import Testing
import Wire

@testable import Node

@Suite("The catalog's word on members and splits")
struct CatalogMembersTests {
  /// A catalog of some nodes that each hold a voter of each of four partitions.
  private func catalog(nodes: UInt32 = 3) throws -> Catalog {
    let first = WireCatalogNode.with {
      $0.id = 1
      $0.address = "n1:1"
    }
    var state = try Catalog.bootstrap(cluster: "c", partitions: 4, format: 1, authority: [1], node: first).state
    for id in 1...nodes {
      if id > 1 {
        state.nodes.append(
          .with {
            $0.id = id
            $0.address = "n\(id):1"
          })
      }
      for place in state.partitions.indices where id > 1 {
        state.partitions[place].replicas.append(
          .with { $0.id = ReplicaID(node: NodeID(rawValue: id), incarnation: state.nextIncarnation).rawValue })
        state.nextIncarnation += 1
      }
    }
    state.nextNode = nodes + 1
    return try Catalog(state)
  }

  private func depart(_ node: UInt32, _ departure: WireDeparture) -> WireCatalogCommand {
    .with {
      $0.departNode = .with {
        $0.node = node
        $0.departure = departure
      }
    }
  }

  @Test("of a partition's replicas alone one is to lead it: whoever gave its replica away is asked for nothing")
  func preferred() throws {
    var state = try catalog().state
    state.partitions[0].preferred = 2
    state.partitions[1].preferred = 2
    state.partitions[1].replicas.removeAll { ReplicaID(rawValue: $0.id).node.rawValue == 2 }
    let catalog = try Catalog(state)
    let groups = state.partitions.map { GroupID(rawValue: $0.group) }
    #expect(groups.prefix(3).map(catalog.preferredLeader) == [NodeID(rawValue: 2), nil, nil])
    let replica = ReplicaID(rawValue: state.partitions[0].replicas[1].id)
    #expect(groups.prefix(2).map { catalog.holds(replica, of: $0) } == [true, false])
  }

  @Test("who leaves stays a member until nothing is left on it; who is lost is refused at once")
  func departures() throws {
    var catalog = try catalog()
    try catalog.apply(depart(3, .leaves))
    #expect(catalog.members.last?.departure == 1)
    #expect(catalog.refused.isEmpty)
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(.with { $0.removeNode = 3 }) }
    try catalog.apply(depart(3, .stays))
    try catalog.apply(depart(3, .isLost))
    #expect(catalog.refused == [NodeID(rawValue: 3)])
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(depart(3, .stays)) }
    for place in catalog.state.partitions.indices {
      catalog.state.partitions[place].replicas.removeAll { ReplicaID(rawValue: $0.id).node.rawValue == 3 }
    }
    try catalog.apply(.with { $0.removeNode = 3 })
    #expect(catalog.nodes.map(\.id) == [1, 2])
    #expect(catalog.refused == [NodeID(rawValue: 3)])
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(.with { $0.removeNode = 2 }) }
  }

  @Test("the last that may hold replicas can't go, nor be given weight 0")
  func last() throws {
    var catalog = try catalog(nodes: 2)
    try catalog.apply(depart(1, .leaves))
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(depart(2, .leaves)) }
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(depart(2, .isLost)) }
    let place = WireCatalogCommand.with {
      $0.setPlace = .with {
        $0.node = 2
        $0.zone = "z"
      }
    }
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(place) }
  }

  @Test("replicas on their way to a lost node are given up")
  func arrivals() throws {
    var catalog = try catalog()
    var place = catalog.state.partitions[0]
    place.replicas[2].state = .joining
    catalog.state.partitions[0] = place
    try catalog.apply(depart(3, .isLost))
    #expect(catalog.state.partitions[0].replicas.count == 2)
    #expect(catalog.state.partitions[0].epoch == place.epoch + 1)
    #expect(catalog.state.partitions[1].replicas.count == 3)
  }

  @Test("a split keeps the membership as it is until it is confirmed, and the two halves make the whole")
  func split() throws {
    var catalog = try catalog()
    let before = catalog.state.partitions[1]
    let begin = WireCatalogCommand.with {
      $0.beginSplit = .with {
        $0.group = before.group
        $0.epoch = before.epoch
      }
    }
    try catalog.apply(begin)
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(begin) }
    let during = catalog.state.partitions[1]
    #expect(during.split.replicas.count == 3)
    let move = WireCatalogCommand.with {
      $0.changePartition = .with {
        $0.group = before.group
        $0.epoch = during.epoch
        $0.remove = [before.replicas[0].id]
      }
    }
    #expect(throws: Catalog.Refusal.self) { try catalog.apply(move) }
    try catalog.apply(
      .with {
        $0.confirmSplit = .with {
          $0.group = before.group
          $0.epoch = during.epoch
        }
      })
    #expect(catalog.map.partitions.count == 5)
    let lower = try #require(catalog.partition(GroupID(rawValue: before.group)))
    let upper = try #require(catalog.partition(GroupID(rawValue: during.split.child)))
    let arc = try Arc(validating: UInt64(before.bits), prefix: before.prefix)
    #expect(lower.prefix == arc.split()?.lower.prefix && upper.prefix == arc.split()?.upper.prefix)
    #expect(upper.replicas.map(\.id) == during.split.replicas)
    #expect(Set(upper.replicas.map { ReplicaID(rawValue: $0.id).node.rawValue }) == [1, 2, 3])
    #expect(!lower.hasSplit && lower.bits == before.bits + 1)
  }
}
