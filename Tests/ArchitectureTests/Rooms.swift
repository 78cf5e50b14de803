/// The rooms of the house and what each may import: the table of the design, from the bottom up.
enum Rooms {
  /// A row: a target under `Sources` and the targets or packages that it is built on.
  struct Room {
    let name: String
    let builtOn: [String]
  }

  static let table = [
    Room(name: "COpenSSL", builtOn: []),
    Room(name: "CShims", builtOn: []),
    Room(name: "Bytes", builtOn: ["CShims"]),
    Room(name: "Environment", builtOn: ["Bytes"]),
    Room(name: "Wire", builtOn: ["Bytes", "SwiftProtobuf"]),
    Room(name: "HashRing", builtOn: ["Bytes"]),
    Room(name: "Merkle", builtOn: ["Bytes", "COpenSSL"]),
    Room(name: "Raft", builtOn: ["Bytes"]),
    Room(name: "Log", builtOn: ["Bytes", "Environment"]),
    Room(name: "Table", builtOn: ["Bytes", "Environment"]),
    Room(name: "Store", builtOn: ["Table", "Merkle"]),
    Room(name: "TLS", builtOn: ["COpenSSL", "CShims", "Bytes"]),
    Room(name: "Snapshot", builtOn: ["Table", "Merkle", "TLS"]),
    Room(name: "Transport", builtOn: ["TLS", "Wire", "NIO", "Logging"]),
    Room(name: "Client", builtOn: ["Wire", "TLS", "HashRing"]),
    Room(name: "Node", builtOn: ["Store", "Log", "Raft", "Wire", "HashRing"]),
    Room(name: "Server", builtOn: ["Node", "Snapshot", "Transport", "Client", "NIO", "Logging"]),
    Room(name: "Commands", builtOn: ["CShims", "Client", "Server", "ArgumentParser", "Logging"]),
    Room(name: "kv", builtOn: ["Commands"]),
    Room(name: "Simulation", builtOn: ["Node"]),
    Room(name: "simulate", builtOn: ["Simulation"]),
  ]

  /// What comes with the toolchain and every room may use.
  static let toolchain: Set<String> = ["Swift", "Glibc", "Musl", "Synchronization", "FoundationEssentials"]

  /// Modules outside, by the name of the package that the table knows.
  static func package(of module: String) -> String {
    module.hasPrefix("NIO") ? "NIO" : module
  }

  static var names: Set<String> { Set(table.map(\.name)) }

  /// All that a room may import. What another room is built on comes with it, but C and packages are for those alone
  /// that name them.
  static func allowed(for name: String) -> Set<String> {
    guard let room = table.first(where: { $0.name == name }) else { return [] }
    let deeper = room.builtOn.flatMap { below in
      allowed(for: below).filter { names.contains($0) && $0 != "COpenSSL" && $0 != "CShims" }
    }
    return Set(room.builtOn + deeper)
  }

  /// The modules that a room imports against the table, ascending.
  static func forbidden(_ imports: [String], in room: String) -> [String] {
    let allowed = allowed(for: room)
    return imports.filter { module in
      module != room && !toolchain.contains(module) && !allowed.contains(package(of: module))
    }
  }

  /// A way round from some room back to itself, if there is one.
  static func cycle(in edges: [String: [String]]) -> [String]? {
    var done: Set<String> = []
    func visit(_ room: String, _ path: [String]) -> [String]? {
      if let start = path.firstIndex(of: room) { return path[start...] + [room] }
      guard done.insert(room).inserted else { return nil }
      for next in (edges[room] ?? []).sorted() {
        if let cycle = visit(next, path + [room]) { return cycle }
      }
      return nil
    }
    for room in edges.keys.sorted() {
      if let cycle = visit(room, []) { return cycle }
    }
    return nil
  }
}
