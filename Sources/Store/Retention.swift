public import Bytes

/// What of the past a store must still be able to show: everything from the floor on, and single older versions.
public struct Retention: Equatable, Sendable {
  /// Everything that there ever was.
  public static let everything = Retention()

  /// The most pins that are taken.
  static let maximumPins = 1 << 16

  /// The oldest version that may be read.
  public let floor: Version
  /// Older versions that may be read nevertheless, ascending.
  public let pins: [Version]

  /// Everything from a floor on, and what the pins hold.
  public init(floor: Version = .zero, pins: [Version] = []) {
    precondition(pins.count <= Self.maximumPins)
    self.floor = floor
    self.pins = pins.sorted()
  }

  /// Whether a version may be read.
  public func holds(_ version: Version) -> Bool {
    if version >= floor { return true }
    let at = firstPin(from: version)
    return at < pins.count && pins[at] == version
  }

  /// Whether some version that may be read lies in [from, to).
  func holds(from: Version, to: Version) -> Bool {
    if to > floor { return true }
    let at = firstPin(from: from)
    return at < pins.count && pins[at] < to
  }

  private func firstPin(from version: Version) -> Int {
    var low = 0
    var high = pins.count
    while low < high {
      let middle = (low + high) / 2
      if pins[middle] < version { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension Retention {
  /// Appends the retention: the floor u64, the number of pins u32, each pin u64.
  func encode(into writer: inout ByteWriter) {
    writer.u64(floor.rawValue)
    writer.u32(UInt32(pins.count))
    for pin in pins { writer.u64(pin.rawValue) }
  }

  /// Reads a retention that `encode` wrote.
  init(from reader: inout ByteReader) throws(ByteError) {
    let floor = Version(rawValue: try reader.u64())
    let start = reader.offset
    let count = Int(try reader.u32())
    guard count <= Self.maximumPins else {
      throw .malformed(offset: start, expected: "at most \(Self.maximumPins) pins", found: "\(count)")
    }
    var pins: [Version] = []
    for _ in 0..<count { pins.append(Version(rawValue: try reader.u64())) }
    self.init(floor: floor, pins: pins)
  }
}

/// A retention and its place in the order in which a store was given them: what a job dropped by a later one must not be
/// undone by the edit of a job that began before it.
struct RetentionStep: Sendable {
  let retention: Retention
  let number: UInt64
}
