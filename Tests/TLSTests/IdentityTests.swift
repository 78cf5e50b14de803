import Bytes
import TLS
import Testing

@Suite("Identities in certificates")
struct IdentityTests {
  @Test(
    "A URI of the exact form is read, and written back the same",
    arguments: [
      ("kv://c/node/0", PeerIdentity.node(cluster: "c", id: NodeID(rawValue: 0))),
      ("kv://c-1.x_Y/node/4294967295", .node(cluster: "c-1.x_Y", id: NodeID(rawValue: .max))),
      ("kv://c/client/ada?role=admin", .client(cluster: "c", name: "ada", role: .admin)),
      ("kv://c/client/b.b?role=writer", .client(cluster: "c", name: "b.b", role: .writer)),
      ("kv://c/client/x?role=reader", .client(cluster: "c", name: "x", role: .reader)),
    ])
  func reads(uri: String, identity: PeerIdentity) {
    #expect(PeerIdentity(uri: uri) == identity)
    #expect(identity.uri == uri)
  }

  @Test(
    "Any other URI is refused",
    arguments: [
      "", "kv:", "kv://", "kv://c", "kv://c/node", "kv://c/node/", "kv://c/node/+1", "kv://c/node/-1",
      "kv://c/node/01", "kv://c/node/4294967296", "kv://c/node/1/", "kv://c/node/1?role=admin", "kv:///node/1",
      "kv://c/Node/1", "KV://c/node/1", " kv://c/node/1", "kv://c/node/1 ", "kv://c d/node/1", "kv://ü/node/1",
      "kv://c/client/a", "kv://c/client/a?role=", "kv://c/client/a?role=root", "kv://c/client/?role=admin",
      "kv://c/client/a?role=admin&x=1", "kv://c/client/a?role=admin?role=admin", "kv://c/client/a/b?role=admin",
      "kv://c/client/a%20b?role=admin", "http://c/node/1", "kv://c/node/\u{661}",
      "kv://\(String(repeating: "c", count: 65))/node/1",
    ])
  func refuses(uri: String) {
    #expect(PeerIdentity(uri: uri) == nil)
  }

  @Test("An identity whose names do not fit has no URI")
  func unfit() {
    #expect(PeerIdentity.client(cluster: "c", name: "a?role=admin", role: .reader).uri == nil)
    #expect(PeerIdentity.node(cluster: "c/node/1", id: NodeID(rawValue: 2)).uri == nil)
  }
}
