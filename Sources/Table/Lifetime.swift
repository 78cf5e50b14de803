public import Bytes

/// How history is laid out: by how long records lived, then by when they ended.
///
/// A read at V wants the records [from, to) with from ≤ V < to. Of records that lived for about L those end within L after
/// V. So records are parted into classes whose lifetimes differ at most fourfold, and each class by `to` into buckets as
/// wide as its shortest lifetime: at any V few buckets of a class are alive, and of what these hold a large part is; and
/// a record that lived long never makes a bucket of short lives reach far back.
public enum Lifetime {
  /// The number of classes.
  public static let classes: UInt8 = 32

  /// The class of a lifetime above 0: 4^class is the longest power of four that it reaches.
  @inline(__always)
  public static func classOf(span: UInt64) -> Int { (63 &- span.leadingZeroBitCount) / 2 }

  /// The number of the bucket in which a record of a class lies.
  @inline(__always)
  public static func bucket(of to: Version, class: Int) -> UInt64 { to.rawValue >> UInt64(2 &* `class`) }

  /// The width of a class's buckets.
  public static func width(class: Int) -> UInt64 { 1 << UInt64(2 * `class`) }
}
