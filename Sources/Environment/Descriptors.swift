import Glibc

/// The descriptors of files and connections that the process may have open.
public enum Descriptors {
  /// Raises the limit as far as the system lets a process do so itself (setrlimit(2), RLIMIT_NOFILE), and gives what it
  /// is then.
  public static func raiseLimit() -> Int {
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return Descriptors.least }
    var wanted = limit
    wanted.rlim_cur = limit.rlim_max
    if setrlimit(resource, &wanted) == 0 { limit = wanted }
    return Int(clamping: limit.rlim_cur)
  }

  /// How many of so many may be connections that others open: the rest is for the files that the node can't do without.
  public static func connections(of limit: Int) -> Int { max(16, (limit - least) / 2) }

  /// What a node needs that serves nobody.
  private static let least = 64
  private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
}
