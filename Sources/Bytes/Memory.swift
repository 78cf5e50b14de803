private import CShims

/// What the memory of a machine needs to be told to be fast.
public enum Memory {
  /// Asks for the cache lines of `count` bytes to be brought near, all at once: for data in which one load would
  /// otherwise wait for another. Costs little where they are near already.
  public static func prefetch(_ address: UnsafeRawPointer, count: Int) {
    // SAFETY: a prefetch reads nothing that the program could see, and never faults.
    kv_prefetch(address, count)
  }

  /// Keeps what was freed for some seconds before it goes back to the system, where the program's allocator can: a node
  /// under load takes it again at once, and each page that it has to ask for anew costs a fault and is cleared first.
  public static func keepFreed() {
    kv_keep_freed_memory(5_000)
  }
}
