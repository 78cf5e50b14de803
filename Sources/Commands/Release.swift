/// Which kv this is.
enum Release {
  /// The version, as semver.org counts.
  static let version = "0.1.0"
}
