extension PlacementFlow {
  /// Where a unit that has not reached its place is.
  enum Source {
    /// A replica is missing, in whichever zone has room.
    case hub(partition: Int)
    /// A replica is missing in a zone.
    case zone(Int, partition: Int)
    /// A node has one too many, or the terminal has.
    case vertex(Int)
  }

  /// How the search reached a vertex.
  private struct Label {
    /// The distance in reduced costs; less edges decide between equal ones.
    var distance = Label.infinite
    var edges = 0
    /// The vertex before; nil at the source.
    var previous: Int?
    /// The partition whose replica moves along the last edge; nil for an edge of the terminal.
    var partition: Int?
    var isFinal = false

    static let infinite = Int.max / 2

    func isShorter(than other: Label) -> Bool {
      (distance, edges) < (other.distance, other.edges)
    }
  }

  /// Sends one unit from the source to the nearest vertex that lacks one.
  ///
  /// Among shortest paths the one with the fewest edges is taken. It visits no hub or zone of a partition twice, though
  /// these are not vertices of the search: cutting out what lies between two visits would leave a path with fewer
  /// edges that is no longer. So all its moves can be made at once.
  mutating func augment(from source: Source) {
    var labels = startLabels(source)
    var next = nearest(labels)
    while let vertex = next, !isLacking(vertex) {
      labels[vertex].isFinal = true
      relax(from: vertex, &labels)
      next = nearest(labels)
    }
    guard let end = next else {
      preconditionFailure("the bounds of zones and quotas can always be met")
    }
    let distance = labels[end].distance
    for vertex in labels.indices {
      potential[vertex] += min(labels[vertex].distance, distance)
    }
    move(along: labels, to: end, from: source)
  }

  private func isLacking(_ vertex: Int) -> Bool {
    vertex == terminal ? excess < 0 : sent[vertex] > held[vertex].count
  }

  private func nearest(_ labels: [Label]) -> Int? {
    var best: Int?
    var bestLabel = Label()
    for vertex in labels.indices where !labels[vertex].isFinal {
      if labels[vertex].isShorter(than: bestLabel) {
        best = vertex
        bestLabel = labels[vertex]
      }
    }
    return best
  }

  private mutating func relax(from vertex: Int, _ labels: inout [Label]) {
    let start = labels[vertex]
    func relax(_ target: Int, cost: Int, partition: Int?) {
      let label = Label(
        distance: start.distance + cost + potential[vertex] - potential[target],
        edges: start.edges + 1,
        previous: vertex, partition: partition)
      if label.isShorter(than: labels[target]) { labels[target] = label }
    }
    if vertex == terminal {
      for node in 0..<nodeCount where sent[node] > quota.bounds[node].lowerBound {
        relax(node, cost: 0, partition: nil)
      }
      return
    }
    refresh(vertex)
    for node in 0..<nodeCount where moveCosts[vertex * nodeCount + node] < Label.infinite {
      let edge = vertex * nodeCount + node
      relax(node, cost: moveCosts[edge], partition: movePartition[edge])
    }
    if sent[vertex] < quota.bounds[vertex].upperBound {
      relax(terminal, cost: 0, partition: nil)
    }
  }

  /// The labels of the vertices that are one edge from the source. They lack the source's potential: it would add the
  /// same to all distances.
  private func startLabels(_ source: Source) -> [Label] {
    var labels = [Label](repeating: Label(), count: nodeCount + 1)
    let partition: Int
    let zone: Int?
    switch source {
    case .vertex(let vertex):
      labels[vertex] = Label(distance: 0)
      return labels
    case .hub(let of): (partition, zone) = (of, nil)
    case .zone(let at, let of): (partition, zone) = (of, at)
    }
    for target in zones.nodes.indices where canPass(partition, from: zone, to: target) {
      for node in zones.nodes[target] where !isHeld[partition * nodeCount + node] {
        let distance = cost[partition * nodeCount + node] - potential[node]
        labels[node] = Label(distance: distance, edges: 1, partition: partition)
      }
    }
    return labels
  }

  /// Whether a unit at the partition's hub (nil) or in one of its zones may go on to a node of a zone.
  private func canPass(_ partition: Int, from: Int?, to: Int) -> Bool {
    let start = partition * zones.nodes.count
    if let from {
      if from == to { return true }
      guard zoneFlow[start + from] > zones.low[from] else { return false }
    }
    return zoneFlow[start + to] < zones.high[to]
  }

  /// Finds, for each other node, the cheapest way to move one of this node's replicas there.
  private mutating func refresh(_ node: Int) {
    guard !isFresh[node] else { return }
    isFresh[node] = true
    let row = node * nodeCount
    for target in row..<row + nodeCount { moveCosts[target] = Label.infinite }
    let zone = zones.zoneOfNode[node]
    for partition in held[node] {
      let start = partition * nodeCount
      let saved = cost[start + node]
      for targetZone in zones.nodes.indices where canPass(partition, from: zone, to: targetZone) {
        for target in zones.nodes[targetZone] where !isHeld[start + target] {
          let change = cost[start + target] - saved
          if change < moveCosts[row + target] {
            moveCosts[row + target] = change
            movePartition[row + target] = partition
          }
        }
      }
    }
  }

  private mutating func move(along labels: [Label], to end: Int, from source: Source) {
    if end == terminal { excess += 1 }
    var vertex = end
    while let previous = labels[vertex].previous {
      if let partition = labels[vertex].partition {
        remove(partition, from: previous)
        pass(partition, from: zones.zoneOfNode[previous], to: zones.zoneOfNode[vertex])
        add(partition, to: vertex)
      } else if vertex == terminal {
        sent[previous] += 1
      } else {
        sent[vertex] -= 1
      }
      vertex = previous
    }
    switch source {
    case .vertex(let start):
      if start == terminal { excess -= 1 }
    case .hub(let partition):
      pass(partition, from: nil, to: zones.zoneOfNode[vertex])
      add(partition, to: vertex)
    case .zone(let zone, let partition):
      pass(partition, from: zone, to: zones.zoneOfNode[vertex])
      add(partition, to: vertex)
    }
  }

  private mutating func pass(_ partition: Int, from: Int?, to: Int) {
    guard from != to else { return }
    let start = partition * zones.nodes.count
    if let from { zoneFlow[start + from] -= 1 }
    zoneFlow[start + to] += 1
  }

  private mutating func add(_ partition: Int, to node: Int) {
    precondition(!isHeld[partition * nodeCount + node])
    isHeld[partition * nodeCount + node] = true
    held[node].append(partition)
    forgetMoves(of: partition)
  }

  private mutating func remove(_ partition: Int, from node: Int) {
    precondition(isHeld[partition * nodeCount + node])
    forgetMoves(of: partition)
    isHeld[partition * nodeCount + node] = false
    held[node].removeAll { $0 == partition }
  }

  /// The moves of a partition's replicas depend on where its others are.
  private mutating func forgetMoves(of partition: Int) {
    for node in 0..<nodeCount where isHeld[partition * nodeCount + node] { isFresh[node] = false }
  }
}
