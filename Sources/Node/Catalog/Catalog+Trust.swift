import Bytes
import Wire

// The authority that signs, and the replacement of one by another.
extension Catalog {
  /// Whom the members believe.
  var trust: WireTrust {
    .with {
      $0.generation = state.trustGeneration
      $0.authority = state.authority
      $0.former = state.formerAuthority
      $0.cross = state.crossCertificate
    }
  }

  /// Whether one authority is being replaced by another.
  var isRotating: Bool { !state.formerAuthority.isEmpty }

  /// How many authorities there were before the one that signs now.
  var authorityNumber: UInt32 { (state.trustGeneration + 1) / 2 }

  /// The certificates of the former authority that are in use, as far as can be known: neither revoked, nor followed by
  /// one of the present authority. A node shows the newest that it has, and one that is a member no more can show none; a
  /// client's name may stand in several files.
  var behind: [WireCertificate] {
    guard isRotating else { return [] }
    let ahead = state.certificates.filter { $0.authorityNumber == authorityNumber }
    let renewed = Set(ahead.map(\.follows))
    let members = Set(state.nodes.map(nodeIdentity))
    let nodes = Set(ahead.map(\.identity)).intersection(members)
    return state.certificates.filter {
      $0.authorityNumber < authorityNumber && $0.revokedMs == 0 && !renewed.contains($0.serial)
        && !nodes.contains($0.identity) && (!isOfNode($0.identity) || members.contains($0.identity))
    }
  }

  /// The members that have no certificate of the present authority yet.
  var nodesBehind: [UInt32] {
    let identities = Set(behind.map(\.identity))
    return state.nodes.filter { identities.contains(nodeIdentity($0)) }.map(\.id)
  }

  private func isOfNode(_ identity: String) -> Bool { identity.hasPrefix("kv://\(state.cluster)/node/") }

  /// The identity in a member's certificates.
  func nodeIdentity(_ node: WireCatalogNode) -> String { "kv://\(state.cluster)/node/\(node.id)" }

  mutating func apply(_ rotation: WireCatalogCommand.AuthorityRotation) throws(Refusal) {
    guard !isRotating else { throw .stale("another authority is in the place of the former already") }
    guard !rotation.authority.isEmpty, !rotation.cross.isEmpty else { throw .malformed("an authority is missing") }
    let keys = Dictionary(rotation.keys.map { ($0.node, $0.sealed) }) { first, _ in first }
    guard state.nodes.allSatisfy({ keys[$0.id] != nil }) else { throw .stale("a node has joined meanwhile") }
    for place in state.nodes.indices {
      if let key = keys[state.nodes[place].id] { state.nodes[place].sealedAuthorityKey = key }
    }
    state.formerAuthority = state.authority
    state.authority = rotation.authority
    state.crossCertificate = rotation.cross
    state.rotationMs = max(1, rotation.wallMs)
    state.trustGeneration += 1
    state.pastAuthorities.insert(state.formerAuthority, at: 0)
    if state.pastAuthorities.count > Limits.pastAuthorities { state.pastAuthorities.removeLast() }
  }

  /// Nobody believes the former authority any more: its certificates and the invitations that name it are void.
  mutating func endRotation(at generation: UInt32) throws(Refusal) {
    guard isRotating, state.trustGeneration == generation else { throw .stale("no such rotation is under way") }
    // Those that were revoked stay known: a node of which one was gets no other.
    let present = authorityNumber
    state.certificates.removeAll { $0.authorityNumber < present && $0.revokedMs == 0 }
    state.tokens.removeAll()
    state.formerAuthority = .init()
    state.crossCertificate = .init()
    state.rotationMs = 0
    state.trustGeneration += 1
  }
}
