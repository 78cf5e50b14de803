import Bytes
import Environment
import Synchronization
import Table

/// The manifest of an open store, to which its jobs append. Used by one job at a time; the lock makes that visible to
/// the compiler and is never contended.
final class Manifest: Sendable {
  private struct Writer {
    var content: ManifestContent
    var number: UInt64
    /// nil once the file's end is unknown: the next edit begins a new manifest.
    var file: (any DiskFile)?
    var end: UInt64
    var firstEditBytes: Int
    /// The number of the retention in `content`.
    var retentionNumber: UInt64 = 0
    /// The failure after which nothing may be written any more.
    var fatal: DiskError?
  }

  private let disk: any Disk
  private let layout: StoreLayout
  private let rewriteBytes: Int
  private let writer: Mutex<Writer>

  /// Takes over a manifest that was read. If its last edit isn't sealed, the process before this one may have been
  /// killed, or its sync have failed, and what is read here be in the page cache alone: then the content is made durable
  /// in a new manifest.
  init(
    disk: any Disk, layout: StoreLayout, options: StoreOptions, number: UInt64, image: ManifestImage
  ) throws(StoreError) {
    self.disk = disk
    self.layout = layout
    rewriteBytes = options.manifestBytes
    var content = image.content
    if image.isSealed {
      let path = layout.path(StoreLayout.manifestName(number))
      let file = try onDisk { () throws(DiskError) in try disk.open(path, .readWrite) }
      writer = Mutex(
        Writer(
          content: content, number: number, file: file, end: UInt64(image.end), firstEditBytes: image.firstEditBytes))
    } else {
      let fresh = content.nextNumber
      content.nextNumber += 1
      writer = Mutex(try Self.write(content, number: fresh, disk: disk, layout: layout))
    }
  }

  /// The number of the manifest that CURRENT names.
  var number: UInt64 { writer.withLock { $0.number } }

  /// The manifest that is written to, and its size with all that was made durable in it.
  var extent: (number: UInt64, end: UInt64) { writer.withLock { ($0.number, $0.end) } }

  /// The number for a new file.
  func nextNumber() -> UInt64 {
    writer.withLock { writer in
      defer { writer.content.nextNumber += 1 }
      return writer.content.nextNumber
    }
  }

  /// Makes an edit durable. An `io` error means that it didn't happen and may be tried again; after a `fatal` one every
  /// later edit fails as well.
  func append(
    removed: [UInt64], added: [TableEntry], state: StoreState? = nil, retention: RetentionStep
  ) throws(StoreError) {
    try writer.withLock { (writer) throws(StoreError) in
      if let fatal = writer.fatal { throw .fatal(fatal) }
      let edit = ManifestEdit(
        removed: removed, added: added, state: state,
        retention: retention.number > writer.retentionNumber ? retention.retention : nil,
        nextNumber: writer.content.nextNumber)
      var content = writer.content
      if let (expected, found) = content.apply(edit) {
        preconditionFailure("an edit that doesn't fit the manifest: expected \(expected), found \(found)")
      }
      do throws(StoreError) {
        if let file = writer.file, !isLarge(writer) {
          try append(edit, to: file, &writer)
          writer.content = content
        } else {
          try startNew(content, &writer)
        }
        writer.retentionNumber = max(writer.retentionNumber, retention.number)
      } catch {
        if case .fatal(let cause) = error { writer.fatal = cause }
        throw error
      }
    }
  }

  private func isLarge(_ writer: Writer) -> Bool {
    writer.end > UInt64(max(rewriteBytes, 4 * writer.firstEditBytes))
  }

  private func append(_ edit: ManifestEdit, to file: any DiskFile, _ writer: inout Writer) throws(StoreError) {
    let frame = ManifestFormat.frame(.edit, edit.encoded(), at: writer.end)
    do throws(DiskError) {
      try file.write(frame, at: writer.end)
    } catch {
      writer.file = nil
      throw .io(error)
    }
    do throws(DiskError) { try file.sync() } catch { throw .fatal(error) }
    writer.end += UInt64(frame.count)
    Self.seal(&writer)
  }

  /// Writes the whole content as the first edit of a new manifest and makes CURRENT name that.
  private func startNew(_ content: ManifestContent, _ writer: inout Writer) throws(StoreError) {
    var content = content
    let number = content.nextNumber
    content.nextNumber += 1
    writer.content.nextNumber = content.nextNumber
    let old = layout.path(StoreLayout.manifestName(writer.number))
    let retentionNumber = writer.retentionNumber
    writer = try Self.write(content, number: number, disk: disk, layout: layout)
    writer.retentionNumber = retentionNumber
    // If that fails, the next opening removes it.
    try? disk.remove(old)
  }

  /// Writes a new manifest with one edit and makes CURRENT name it. It is sealed once both are durable.
  private static func write(
    _ content: ManifestContent, number: UInt64, disk: any Disk, layout: StoreLayout
  ) throws(StoreError) -> Writer {
    let payload = content.asEdit.encoded()
    let header = ManifestFormat.header()
    let bytes = header + ManifestFormat.frame(.edit, payload, at: UInt64(header.count))
    let name = StoreLayout.manifestName(number)
    let path = layout.path(name)
    var writer = Writer(
      content: content, number: number, file: nil, end: UInt64(bytes.count), firstEditBytes: payload.count)
    do throws(DiskError) {
      let file = try disk.open(path, .create)
      try file.write(bytes, at: 0)
      try file.sync()
      try disk.replace(layout.current, with: StoreLayout.currentContent(name))
      writer.file = file
    } catch {
      if error.operation.hasPrefix("sync") || error.operation == "rename" { throw .fatal(error) }
      try? disk.remove(path)
      throw .io(error)
    }
    seal(&writer)
    return writer
  }

  /// Notes that everything before is durable. It is so whether or not the seal gets written.
  private static func seal(_ writer: inout Writer) {
    let seal = ManifestFormat.seal(at: writer.end)
    do throws(DiskError) {
      try writer.file?.write(seal, at: writer.end)
      writer.end += UInt64(seal.count)
    } catch {
      writer.file = nil
    }
  }

  /// Makes the content the manifest of a directory that has none, or whose manifest it takes the place of.
  static func create(
    _ content: ManifestContent, number: UInt64, disk: any Disk, layout: StoreLayout
  ) throws(StoreError) {
    _ = try write(content, number: number, disk: disk, layout: layout)
  }
}
