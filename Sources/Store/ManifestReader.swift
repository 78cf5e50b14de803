import Bytes
import Environment
import Table

/// A manifest as it was found.
struct ManifestImage {
  var content = ManifestContent()
  /// The size of the first edit, from which the manifest grew.
  var firstEditBytes = 0
  /// The offset behind the last whole frame.
  var end = 0
  /// Whether the last edit is known to be durable, and the file ends behind its seal. If not, an edit may have been torn;
  /// nothing relied on that one.
  var isSealed = false
}

enum ManifestReader {
  /// Reads a manifest.
  static func read(_ path: String, on disk: any Disk) throws(StoreError) -> ManifestImage {
    let file = try onDisk { () throws(DiskError) in try disk.open(path, .read) }
    let size = try onDisk { () throws(DiskError) in try file.size() }
    guard size <= UInt64(ManifestFormat.maximumBytes) else {
      let most = ByteCount.bytes(ManifestFormat.maximumBytes)
      throw .corrupt(path: path, offset: 0, expected: "a manifest of at most \(most)", found: "\(size) bytes")
    }
    let bytes = try onDisk { () throws(DiskError) in try file.read(at: 0, count: Int(size)) }
    do throws(ByteError) {
      return try parse(bytes)
    } catch {
      throw StoreError(error, path: path)
    }
  }

  static func parse(_ bytes: [UInt8]) throws(ByteError) -> ManifestImage {
    try checkHeader(bytes)
    var image = ManifestImage()
    var at = ManifestFormat.headerBytes
    while at < bytes.count {
      let frame: ManifestFormat.Frame
      do throws(ByteError) {
        frame = try ManifestFormat.readFrame(bytes, at: at)
      } catch {
        // The first edit was synced before CURRENT named the manifest, so it can't be torn.
        guard image.firstEditBytes > 0, ManifestFormat.firstSeal(in: bytes, from: at + 1) == nil else { throw error }
        image.end = at
        image.isSealed = false
        return image
      }
      if frame.type == .edit {
        try apply(bytes, frame.payload, to: &image)
        if image.firstEditBytes == 0 { image.firstEditBytes = frame.payload.count }
      }
      image.isSealed = frame.type == .seal
      at = frame.payload.upperBound
    }
    guard image.firstEditBytes > 0 else { throw .truncated(offset: at, needed: 1, available: 0) }
    image.end = at
    return image
  }

  private static func checkHeader(_ bytes: [UInt8]) throws(ByteError) {
    var reader = ByteReader(bytes)
    let magic = try reader.bytes(ManifestFormat.magic.count)
    guard magic == ManifestFormat.magic else {
      throw .malformed(offset: 0, expected: "kv-manif", found: Escaping.text(magic))
    }
    let version = try reader.u32()
    let stored = try reader.u32()
    let actual = CRC32C.checksum(Array(bytes[..<12]))
    guard stored == actual else {
      throw .malformed(offset: 12, expected: "CRC-32C \(hexadecimal(stored))", found: hexadecimal(actual))
    }
    guard version == ManifestFormat.version else {
      throw .malformed(offset: 8, expected: "format version \(ManifestFormat.version)", found: "\(version)")
    }
  }

  private static func apply(
    _ bytes: [UInt8], _ payload: Range<Int>, to image: inout ManifestImage
  ) throws(ByteError) {
    var reader = ByteReader(bytes, range: payload)
    let edit = try ManifestEdit(from: &reader)
    if let (expected, found) = image.content.apply(edit) {
      throw .malformed(offset: payload.lowerBound, expected: expected, found: found)
    }
  }
}

extension StoreError {
  init(_ error: ByteError, path: String) {
    switch error {
    case .truncated(let offset, let needed, let available):
      self = .corrupt(
        path: path, offset: UInt64(offset), expected: "\(needed) more bytes", found: "\(available)")
    case .malformed(let offset, let expected, let found):
      self = .corrupt(path: path, offset: UInt64(offset), expected: expected, found: found)
    }
  }
}
