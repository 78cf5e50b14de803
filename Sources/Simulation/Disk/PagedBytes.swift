import Glibc

/// The bytes of a simulated file, in pages that copies share: to copy a file costs little, to change a copy one page.
/// All pages of zeros are one, so that room made ahead takes none.
struct PagedBytes: Equatable {
  static let pageBytes = 4096
  private static let zeroPage = [UInt8](repeating: 0, count: pageBytes)

  private var pages: [[UInt8]] = []
  private(set) var count = 0

  /// The number of pages that hold `count` bytes.
  static func pages(for count: Int) -> Int { (count + pageBytes - 1) / pageBytes }

  /// Cuts, or extends with zeros.
  mutating func resize(to newCount: Int) {
    let needed = PagedBytes.pages(for: newCount)
    if needed < pages.count {
      pages.removeLast(pages.count - needed)
    } else if needed > pages.count {
      pages.append(contentsOf: repeatElement(PagedBytes.zeroPage, count: needed - pages.count))
    }
    // What lies behind the end of the last page must read as zeros if the file grows again.
    if newCount < count, let last = pages.indices.last {
      for at in newCount - last * PagedBytes.pageBytes..<PagedBytes.pageBytes { pages[last][at] = 0 }
    }
    count = newCount
  }

  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let total = Swift.max(0, Swift.min(buffer.count, count - offset))
    var done = 0
    while done < total {
      let (page, start) = (offset + done).quotientAndRemainder(dividingBy: PagedBytes.pageBytes)
      let length = Swift.min(total - done, PagedBytes.pageBytes - start)
      // SAFETY: `done + length` ≤ `total` ≤ the buffer's size; the source is checked by the slice.
      UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + length])
        .copyBytes(from: pages[page][start..<start + length])
      done += length
    }
    return total
  }

  mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    if offset + bytes.count > count { resize(to: offset + bytes.count) }
    var done = 0
    while done < bytes.count {
      let (page, start) = (offset + done).quotientAndRemainder(dividingBy: PagedBytes.pageBytes)
      let length = Swift.min(bytes.count - done, PagedBytes.pageBytes - start)
      // SAFETY: `done + length` ≤ the buffer's size, and `start + length` ≤ that of a page.
      let part = UnsafeRawBufferPointer(rebasing: bytes[done..<done + length])
      done += length
      if length == PagedBytes.pageBytes, PagedBytes.isZero(part) {
        pages[page] = PagedBytes.zeroPage
        continue
      }
      pages[page].withUnsafeMutableBytes {
        UnsafeMutableRawBufferPointer(rebasing: $0[start...]).copyMemory(from: part)
      }
    }
  }

  /// Whether a whole page of bytes is zero.
  private static func isZero(_ page: UnsafeRawBufferPointer) -> Bool {
    guard let bytes = page.baseAddress else { return false }
    // SAFETY: both have the bytes of a page.
    return zeroPage.withUnsafeBytes { zeros in zeros.baseAddress.map { memcmp(bytes, $0, pageBytes) == 0 } ?? false }
  }

  /// Takes over a range of another file's bytes, as far as it has them and this file has room.
  mutating func copy(_ range: Range<Int>, from other: PagedBytes) {
    let part = range.clamped(to: 0..<Swift.min(count, other.count))
    var at = part.lowerBound
    while at < part.upperBound {
      let (page, start) = at.quotientAndRemainder(dividingBy: PagedBytes.pageBytes)
      let end = Swift.min(PagedBytes.pageBytes, start + part.upperBound - at)
      if start == 0, end == PagedBytes.pageBytes {
        pages[page] = other.pages[page]
      } else {
        pages[page].replaceSubrange(start..<end, with: other.pages[page][start..<end])
      }
      at += end - start
    }
  }

  mutating func flip(_ mask: UInt8, at offset: Int) {
    guard offset < count else { return }
    pages[offset / PagedBytes.pageBytes][offset % PagedBytes.pageBytes] ^= mask
  }
}
