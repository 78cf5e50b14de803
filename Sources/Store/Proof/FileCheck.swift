import Bytes
import Environment
import Merkle
import Table

/// Reads a view's files from the disk, part by part, and holds each against the SHA-256 in the manifest. Opens them by
/// name, so that one which is gone, or has another's place, is found. For one thread at a time.
final class FileCheck {
  private let view: StoreView
  private var left: [TableFile]
  private var current: (file: TableFile, disk: any DiskFile, hash: SHA256, at: UInt64)?
  /// What was found.
  private(set) var damage: [StoreDamage] = []
  /// Whether records can't be read.
  private(set) var hidesRecords = false
  private var hasManifest = false

  private static let partBytes = 256 << 10

  init(_ view: StoreView) {
    self.view = view
    left = view.files.all.reversed()
  }

  /// Reads the next part; gives its size, or nil after the last.
  func advance() -> Int? {
    if !hasManifest {
      hasManifest = true
      checkManifest()
    }
    guard let (file, disk, hash, at) = current ?? begin() else { return left.isEmpty ? nil : 0 }
    current = nil
    do throws(DiskError) {
      let part = try disk.read(at: at, count: Self.partBytes)
      guard part.isEmpty else {
        part.withRawBytes { hash.update($0) }
        current = (file, disk, hash, at + UInt64(part.count))
        return part.count
      }
    } catch {
      note(.io(error), in: file)
      return 0
    }
    if hash.finish() != file.entry.hash { locate(in: file) }
    return 0
  }

  private func begin() -> (TableFile, any DiskFile, SHA256, UInt64)? {
    guard let file = left.popLast() else { return nil }
    do throws(DiskError) {
      return (file, try view.context.disk.open(file.reader.path, .read), SHA256(), 0)
    } catch {
      note(.io(error), in: file)
      return nil
    }
  }

  private func note(_ error: StoreError, in file: TableFile) {
    hidesRecords = true
    damage.append(StoreDamage(error, path: file.reader.path))
  }

  /// Looks for the blocks by which a file is not what it was.
  private func locate(in file: TableFile) {
    let path = file.reader.path
    let before = damage.count
    do throws(TableError) {
      let reader = try TableReader(disk: view.context.disk, path: path, cache: BlockCache(byteBudget: 0))
      for run in reader.runs { damage += try run.faults().map { StoreDamage($0, path: path) } }
    } catch {
      damage.append(StoreDamage(StoreError(error), path: path))
    }
    hidesRecords = hidesRecords || damage.count > before
    if damage.count == before {
      damage.append(
        StoreDamage(
          path: path,
          words: "its SHA-256 is not the one in the manifest, though the checksums of all of its blocks are right"))
    }
  }

  /// Reads the manifest that the next start will need, unless a job replaces it meanwhile. An end that is cut off looks
  /// like one that a crash has torn, but for what is known here.
  private func checkManifest() {
    let (disk, layout) = (view.context.disk, view.context.layout)
    for _ in 0..<3 {
      let known = view.context.manifest.extent
      do throws(StoreError) {
        let number = try layout.readCurrent(on: disk)
        let path = layout.path(StoreLayout.manifestName(number))
        let end = UInt64(try ManifestReader.read(path, on: disk).end)
        guard number == known.number else { continue }
        if end < known.end {
          damage.append(
            StoreDamage(
              path: path, offset: end, words: "expected \(known.end) bytes of whole edits, found \(end)"))
        }
        return
      } catch {
        if case .corrupt = error { return damage.append(StoreDamage(error, path: layout.current)) }
      }
    }
    damage.append(StoreDamage(path: layout.current, words: "it does not name the manifest that the store goes on in"))
  }
}

extension PartitionStore {
  /// Reads all files from the disk, whole, and gives what is damaged in them. Blocking.
  public func readFiles() -> [StoreDamage] {
    let check = FileCheck(view())
    while check.advance() != nil {}
    return check.damage
  }
}
