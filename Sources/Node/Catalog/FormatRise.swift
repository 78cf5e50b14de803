import Bytes
import Environment
import Wire

/// Lets the cluster's format rise once every member supports the next, and has the node's directory say so, so that an
/// older release is refused there with words rather than stopped by a command that it doesn't know (DESIGN §5).
final class FormatRise {
  private unowned let node: Node
  private var isProposing = false
  /// The format that the directory's file names, as far as this run has written it.
  private var written: UInt32 = 0
  private var isWriting = false
  private var retryAt = Moment(rawValue: 0)

  init(node: Node) {
    self.node = node
  }

  /// The members that keep the format from rising, as far as this node can tell: those that support no newer one, or
  /// haven't said.
  func laggards(in catalog: Catalog) -> [NodeID] {
    catalog.nodes.map { NodeID(rawValue: $0.id) }.filter { (supported(by: $0) ?? 0) <= catalog.format }
  }

  /// What is to be said where the format could be newer; nil where it is as new as this release knows.
  func note(on catalog: Catalog) -> String? {
    guard catalog.format < node.storage.options.format else { return nil }
    let laggards = laggards(in: catalog).map { "\($0)" }.joined(separator: ", ")
    return laggards.isEmpty
      ? nil
      : "the cluster's format stays \(catalog.format) as long as node \(laggards) runs an older release, or does not answer"
  }

  /// Why something that came with a format can't be had yet; nil where it can.
  func refusal(of what: String, needing format: UInt32) -> String? {
    guard let catalog = node.catalog.catalog else { return "node \(node.id) has not heard from its cluster yet" }
    guard catalog.format < format else { return nil }
    let laggards = laggards(in: catalog).map { "\($0)" }.joined(separator: ", ")
    return "\(what): this needs format \(format) of the cluster, which is at \(catalog.format): "
      + "node \(laggards) runs an older release, or does not answer"
  }

  private func supported(by member: NodeID) -> UInt32? {
    member == node.id ? node.storage.options.format : node.pulses.format(of: member)
  }

  func tick() {
    risen()
    guard !isProposing, let catalog = node.catalog.catalog, catalog.format < node.storage.options.format,
      node.replicas[.catalog]?.leads == true
    else { return }
    let members = catalog.nodes.map { NodeID(rawValue: $0.id) }
    // All are asked, also where one of them is known to lag: who leads next time may need to know.
    let formats = members.map(supported)
    guard let newest = formats.map({ $0 ?? 0 }).min(), newest > catalog.format else { return }
    let command = WireCatalogCommand.with {
      $0.raiseFormat = .with {
        $0.format = newest
        $0.nodes = members.map(\.rawValue)
      }
    }
    isProposing = true
    node.catalog.propose(command) { [self] outcome in
      isProposing = false
      if case .applied = outcome { node.host.log(.info, "the cluster's format is \(newest) from now on") }
    }
  }

  /// The catalog may have a newer format: the directory's file is to say so.
  func risen() {
    guard let format = node.catalog.catalog?.format, format > written, !isWriting, node.now >= retryAt else { return }
    guard format <= node.storage.options.format else {
      return node.host.fatal(
        "the cluster's format is \(format), and this release knows formats up to \(node.storage.options.format): "
          + "use a newer kv")
    }
    isWriting = true
    node.host.run(.background) { [storage = node.storage] in
      storage.saveFormat(format)
    } then: { [self] error in
      isWriting = false
      if let error {
        retryAt = node.now.advanced(milliseconds: Limits.formatRetryMilliseconds)
        node.host.log(.error, "the directory's FORMAT can't be written: \(error)")
      } else {
        written = format
      }
    }
  }
}
