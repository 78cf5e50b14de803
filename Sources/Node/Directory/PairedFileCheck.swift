import Bytes
import Environment

/// Holds the node's identity and its catalog against their checksums now and then, while they can be mended: a copy that
/// has gone bad is written anew from the other, and the catalog from memory where both have, as is the FORMAT file.
final class PairedFileCheck {
  private unowned let node: Node
  private var nextAt: Moment
  private var isUnderWay = false

  init(node: Node) {
    self.node = node
    nextAt = node.now.advanced(milliseconds: Limits.pairedFileCheckMilliseconds)
  }

  func tick() {
    guard !isUnderWay, node.now >= nextAt else { return }
    nextAt = node.now.advanced(milliseconds: Limits.pairedFileCheckMilliseconds)
    isUnderWay = true
    let storage = node.storage
    // A node that has joined and not yet heard from the catalog has no file of it.
    let files = node.catalog.catalog == nil ? [storage.identityFile] : [storage.identityFile, storage.catalogFile]
    let format = node.catalog.catalog?.state.format
    // Where the files are written, too: nobody else writes them meanwhile.
    node.host.run(.background) {
      var found = files.map { file in
        (file.path, Result { () throws(DiskError) in try file.mend() })
      }
      if let format { found.append(storage.mendFormat(format)) }
      return found
    } then: { [self] found in
      isUnderWay = false
      for (path, result) in found { judge(path, result) }
      noteLogEnd()
    }
  }

  /// Notes how far the log is durable, unless replicas wait to be replaced for what it has lost: that would be forgotten.
  func noteLogEnd(then done: @escaping () -> Void = {}) {
    guard !node.isRecollecting, node.fences.all.isEmpty else { return done() }
    let (storage, end) = (node.storage, node.pipeline.durableEnd)
    node.host.run(.background) {
      storage.noteLogEnd(end)
    } then: { _ in
      // On a full disk, the next time.
      done()
    }
  }

  private func judge(_ path: String, _ result: Result<PairedFile.Condition, DiskError>) {
    switch result {
    case .success(.sound): break
    case .success(.mended(let places)):
      let places = places.joined(separator: " and ")
      node.host.log(.error, "\(places): damaged or gone; written anew, nothing is lost")
    case .success(.lost):
      node.host.log(.error, "\(path): damaged or gone, as is its copy")
      if path == node.storage.catalogFile.path { node.catalog.flush(again: true) }
    case .failure(let error):
      node.host.log(.error, "\(path): can't be held against its checksum: \(error)")
    }
  }
}
