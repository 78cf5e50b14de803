import Glibc

/// A unit with which systemd runs a node (systemd.service(5)): restarted when it fails, told when it serves, kept away
/// from what it doesn't need.
struct SystemdUnit {
  /// The text of the unit.
  let text: String

  /// The unit of a command line. Paths in it become absolute: systemd starts a node in another directory.
  /// - Parameter directory: the node's directory, if the settings name one.
  init(_ command: ServeCommand, directory: String?) throws(CommandError) {
    let node = command.node
    var words = [ChildProcess.thisProgram, "serve"]
    func add(_ name: String, _ value: String?) {
      if let value { words += ["--\(name)", value] }
    }
    add("config", try node.config.map { (path) throws(CommandError) in try SystemdUnit.absolute(path.text) })
    let place = try SystemdUnit.absolute(directory ?? SystemdUnit.usualDirectory)
    if node.directory != nil || directory == nil { add("directory", place) }
    add("listen", node.listen?.text)
    add("advertise", node.advertise?.text)
    add("zone", node.zone?.text)
    add("weight", node.weight.map { "\($0)" })
    add("metrics", node.metrics?.text)
    add("certificate-life", node.certificateLife?.defaultValueDescription)
    add("split-size", node.splitSize.map { "\($0.bytes)" })
    add("log-level", node.logLevel?.rawValue)
    add("log-format", node.logFormat?.rawValue)
    add("partitions", command.partitions.map { "\($0)" })
    add("keep", command.keep?.defaultValueDescription)
    text = """
      [Unit]
      Description=kv, a distributed, versioned key-value store
      Documentation=man:kv-serve(1) man:kv-operations(7)
      Wants=network-online.target
      After=network-online.target
      # An empty mount point is no new node.
      RequiresMountsFor=\(SystemdUnit.quoted(place))

      [Service]
      Type=notify
      ExecStart=\(words.map(SystemdUnit.quoted).joined(separator: " "))
      User=kv
      Group=kv
      UMask=0077
      Restart=on-failure
      RestartSec=1
      # The command line or the directory is wrong: another start would change nothing.
      RestartPreventExitStatus=64 66 77 78
      TimeoutStartSec=10min
      TimeoutStopSec=1min
      LimitNOFILE=65536
      OOMScoreAdjust=-500
      ReadWritePaths=\(SystemdUnit.quoted(place))
      ProtectSystem=strict
      ProtectHome=read-only
      PrivateTmp=true
      PrivateDevices=true
      ProtectKernelTunables=true
      ProtectKernelModules=true
      ProtectControlGroups=true
      RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
      RestrictNamespaces=true
      NoNewPrivileges=true
      CapabilityBoundingSet=

      [Install]
      WantedBy=multi-user.target

      """
  }

  /// Where a node keeps its data if nothing else is said.
  static let usualDirectory = "/var/lib/kv"

  /// A path from the root on.
  private static func absolute(_ path: String) throws(CommandError) -> String {
    if path.hasPrefix("/") { return path }
    guard let working = getcwd(nil, 0) else { throw .file(operation: "open", path: ".", code: errno) }
    // SAFETY: getcwd gave a NUL-terminated string of its own, which is copied before it is freed.
    defer { free(working) }
    return "\(String(cString: working))/\(path)"
  }

  /// A word as systemd reads it back: specifiers and variables are taken for themselves (systemd.service(5),
  /// "Command lines").
  static func quoted(_ word: String) -> String {
    let escaped = word.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("%", with: "%%")
      .replacing("$", with: "$$").replacing("\n", with: "\\n")
    return escaped.contains { " \t\"\\';".contains($0) } || escaped.isEmpty ? "\"\(escaped)\"" : escaped
  }
}
