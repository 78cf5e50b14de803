import Bytes
import Environment

/// What a simulated disk holds: files, and directories whose changes are pending until they are synced.
struct SimulatedVolume {
  typealias Node = Int

  /// A change to one directory, all or nothing: each name gets a node, or loses the one that it had.
  struct NameChange {
    let number: Int
    let names: [(name: String, node: Node?)]
    /// The arrival in another directory without which this departure is never durable: a renaming loses no file.
    let arrival: (directory: Node, number: Int)?
  }

  struct Directory {
    var entries: [String: Node] = [:]
    var durable: [String: Node] = [:]
    var pending: [NameChange] = []
  }

  /// How many open files refer to a node, and the path by which it was opened last.
  struct Opened {
    var count = 0
    var path = ""
  }

  static let root: Node = 0

  var files: [Node: SimulatedContents] = [:]
  var directories: [Node: Directory] = [root: Directory()]
  /// The nodes that open files refer to: they live on without a name.
  var opened: [Node: Opened] = [:]
  /// Counts the crashes, so that a file opened before one can't be used after it.
  var era = 0
  var capacity: Int?
  var steps = 0
  var stepsUntilPowerOff: Int?
  var isOff = false
  var faults: [DiskFault] = []
  /// How many calls were hit by a fault.
  var faultHits = 0
  /// What happens to the call under way without an error.
  var quietFault: DiskFault.Effect?
  private var lastNode: Node = root
  private var lastChange = 0
}

// MARK: - Names

extension SimulatedVolume {
  /// The node at a path, or nil.
  func find(_ path: String) -> Node? {
    var node = SimulatedVolume.root
    for name in SimulatedVolume.names(path) {
      guard let next = directories[node]?.entries[name] else { return nil }
      node = next
    }
    return node
  }

  /// The files under a directory, with their sizes, by path.
  func files(under path: String) -> [(path: String, bytes: Int)] {
    guard let node = find(path) else { return [] }
    if let file = files[node] { return [(path, file.count)] }
    return (directories[node]?.entries.keys.sorted() ?? []).flatMap { files(under: "\(path)/\($0)") }
  }

  func existing(_ path: String, _ operation: String) throws(DiskError) -> Node {
    guard let node = find(path) else { throw DiskError(operation: operation, path: path, code: Errno.notFound) }
    return node
  }

  func existingDirectory(_ path: String, _ operation: String) throws(DiskError) -> Node {
    let node = try existing(path, operation)
    guard directories[node] != nil else {
      throw DiskError(operation: operation, path: path, code: Errno.notDirectory)
    }
    return node
  }

  /// The directory that holds, or would hold, a path's last name.
  private func parent(_ path: String, _ operation: String) throws(DiskError) -> (directory: Node, name: String) {
    let names = SimulatedVolume.names(path)
    guard let name = names.last else { throw DiskError(operation: operation, path: path, code: Errno.exists) }
    var node = SimulatedVolume.root
    for name in names.dropLast() {
      guard let next = directories[node]?.entries[name] else {
        throw DiskError(operation: operation, path: path, code: Errno.notFound)
      }
      node = next
    }
    guard directories[node] != nil else {
      throw DiskError(operation: operation, path: path, code: Errno.notDirectory)
    }
    return (node, name)
  }

  static func names(_ path: String) -> [String] {
    path.split(separator: "/").filter { $0 != "." }.map(String.init)
  }

  mutating func create(_ path: String) throws(DiskError) -> Node {
    let (directory, name) = try parent(path, "create")
    guard directories[directory]?.entries[name] == nil else {
      throw DiskError(operation: "create", path: path, code: Errno.exists)
    }
    lastNode += 1
    files[lastNode] = SimulatedContents()
    change(directory, [(name, lastNode)])
    return lastNode
  }

  mutating func createDirectory(_ path: String) throws(DiskError) {
    if let node = find(path) {
      guard directories[node] != nil else { throw DiskError(operation: "create", path: path, code: Errno.exists) }
      return
    }
    let (directory, name) = try parent(path, "create")
    lastNode += 1
    directories[lastNode] = Directory()
    change(directory, [(name, lastNode)])
  }

  mutating func remove(_ path: String) throws(DiskError) {
    let node = try existing(path, "remove")
    let (directory, name) = try parent(path, "remove")
    if let removed = directories[node], !removed.entries.isEmpty {
      throw DiskError(operation: "remove", path: path, code: Errno.notEmpty)
    }
    change(directory, [(name, nil)])
  }

  mutating func rename(_ path: String, to newPath: String) throws(DiskError) {
    let node = try existing(path, "rename")
    let from = try parent(path, "rename")
    let to = try parent(newPath, "rename")
    if from == to { return }
    if let replaced = directories[to.directory]?.entries[to.name] {
      if directories[replaced] != nil || directories[node] != nil {
        throw DiskError(operation: "rename", path: path, code: Errno.exists)
      }
    }
    if from.directory == to.directory {
      change(from.directory, [(from.name, nil), (to.name, node)])
    } else {
      change(to.directory, [(to.name, node)])
      change(from.directory, [(from.name, nil)], arrival: (to.directory, lastChange))
    }
  }

  mutating func link(_ path: String, to newPath: String) throws(DiskError) {
    let node = try existing(path, "link")
    guard files[node] != nil else { throw DiskError(operation: "link", path: path, code: Errno.isDirectory) }
    let (directory, name) = try parent(newPath, "link")
    guard directories[directory]?.entries[name] == nil else {
      throw DiskError(operation: "link", path: path, code: Errno.exists)
    }
    change(directory, [(name, node)])
  }

  private mutating func change(
    _ directory: Node, _ names: [(name: String, node: Node?)], arrival: (directory: Node, number: Int)? = nil
  ) {
    lastChange += 1
    directories[directory]?.pending.append(NameChange(number: lastChange, names: names, arrival: arrival))
    for (name, node) in names { directories[directory]?.entries[name] = node }
  }

  /// Makes a directory's changes durable up to a number.
  mutating func commit(_ directory: Node, through number: Int) {
    while let first = directories[directory]?.pending.first, first.number <= number {
      if let arrival = first.arrival { commit(arrival.directory, through: arrival.number) }
      directories[directory]?.pending.removeFirst()
      for (name, node) in first.names { directories[directory]?.durable[name] = node }
    }
  }
}

// MARK: - Contents

extension SimulatedVolume {
  /// Writes to a file, as the fault that hit the call says.
  ///
  /// SAFETY: the bytes are lent for the call; what is to stay of them is copied.
  mutating func write(_ bytes: UnsafeRawBufferPointer, to node: Node, at offset: Int) {
    switch quietFault {
    case .isLost: files[node]?.writeToCache(bytes, at: offset)
    case .strays(let distance): files[node]?.write(bytes, at: offset + distance)
    case .fails, nil: files[node]?.write(bytes, at: offset)
    }
  }
}

// MARK: - Space

extension SimulatedVolume {
  /// The bytes still free, or nil where no capacity is set.
  var free: Int? {
    capacity.map { capacity in
      let pages = visible().reduce(0) { $0 + (files[$1].map { PagedBytes.pages(for: $0.count) } ?? 0) }
      return Swift.max(0, capacity - pages * PagedBytes.pageBytes)
    }
  }

  /// The nodes that have a name now or are open.
  private func visible() -> Set<Node> {
    reachable(from: Array(opened.keys) + [SimulatedVolume.root]) { $0.entries.values.map { $0 } }
  }

  /// The paths by which files were opened that are open still and have no name any more.
  var openButRemoved: [String] {
    let named = reachable(from: [SimulatedVolume.root]) { Array($0.entries.values) }
    return opened.filter { !named.contains($0.key) }.map(\.value.path).sorted()
  }

  private func reachable(from roots: [Node], _ children: (Directory) -> [Node]) -> Set<Node> {
    var found = Set(roots)
    var open = roots
    while let node = open.popLast() {
      guard let directory = directories[node] else { continue }
      for child in children(directory) where found.insert(child).inserted { open.append(child) }
    }
    return found
  }

  /// Forgets the nodes that neither have a name, nor could have one after a crash, nor are open.
  mutating func sweep() {
    let kept = reachable(from: Array(opened.keys) + [SimulatedVolume.root]) { directory in
      Array(directory.entries.values) + Array(directory.durable.values)
        + directory.pending.flatMap { $0.names.compactMap(\.node) }
    }
    for node in files.keys where !kept.contains(node) { files[node] = nil }
    for node in directories.keys where !kept.contains(node) { directories[node] = nil }
  }
}

// MARK: - Crash

extension SimulatedVolume {
  /// Loses power: of each directory's pending changes a prefix survives, of each file's what `SimulatedContents` says.
  mutating func crash(_ random: inout SplitMix64) {
    for directory in directories.keys.sorted() {
      let pending = directories[directory]?.pending.map(\.number) ?? []
      let kept = Int.random(in: 0...pending.count, using: &random)
      if kept > 0 { commit(directory, through: pending[kept - 1]) }
    }
    for directory in directories.keys {
      directories[directory]?.pending.removeAll()
      if let durable = directories[directory]?.durable { directories[directory]?.entries = durable }
    }
    for file in files.keys.sorted() { files[file]?.crash(&random) }
    opened.removeAll()
    era += 1
    sweep()
    isOff = false
    stepsUntilPowerOff = nil
  }
}

/// The system's error numbers that a simulated disk gives (errno(3), Linux).
enum Errno {
  static let notFound: Int32 = 2
  static let badDescriptor: Int32 = 9
  static let exists: Int32 = 17
  static let notDirectory: Int32 = 20
  static let isDirectory: Int32 = 21
  static let fileTooBig: Int32 = 27
  static let notEmpty: Int32 = 39
  static let stale: Int32 = 116
}
