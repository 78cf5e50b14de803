/// What `Package.swift` says about targets: their kinds, names and dependencies.
enum Manifest {
  struct Target: Equatable {
    /// `target`, `executableTarget`, `testTarget` or `systemLibrary`.
    let kind: String
    let name: String
    /// Targets and products, by name.
    let dependencies: [String]
  }

  static func targets(of manifest: String) -> [Target] {
    let kinds = ["target", "executableTarget", "testTarget", "systemLibrary"]
    return kinds.flatMap { kind in
      occurrences(of: ".\(kind)(", in: manifest).compactMap { start -> Target? in
        let call = balanced(manifest[start...])
        // `.target(name:)` inside a list of dependencies has nothing but a name and is no declaration of its own.
        guard let name = string(after: "name:", in: call) else { return nil }
        let list = call.range(of: "dependencies:").map { balanced(call[$0.upperBound...]) } ?? ""
        return Target(kind: kind, name: name, dependencies: dependencies(in: list))
      }
    }
  }

  /// The names in a list like `["Bytes", .product(name: "NIOCore", package: "swift-nio")]`.
  private static func dependencies(in list: Substring) -> [String] {
    var names: [String] = []
    var rest = list.drop { $0 == "[" || $0.isWhitespace }
    while let first = rest.first, first != "]" {
      if first == "\"" {
        let name = rest.dropFirst().prefix { $0 != "\"" }
        names.append(String(name))
        rest = rest.dropFirst(name.count + 2)
      } else if first == "." {
        let call = balanced(rest)
        if let name = string(after: "name:", in: call) { names.append(name) }
        rest = rest[call.endIndex...]
      } else {
        rest = rest.dropFirst()
      }
    }
    return names
  }

  private static func occurrences(of text: String, in source: String) -> [String.Index] {
    var found: [String.Index] = []
    var rest = source[...]
    while let range = rest.range(of: text) {
      found.append(range.lowerBound)
      rest = rest[range.upperBound...]
    }
    return found
  }

  /// From the start to the bracket that closes the first one.
  private static func balanced(_ text: Substring) -> Substring {
    var depth = 0
    for index in text.indices {
      switch text[index] {
      case "(", "[": depth += 1
      case ")", "]":
        depth -= 1
        if depth == 0 { return text[...index] }
      default: break
      }
    }
    return text
  }

  private static func string(after label: String, in text: Substring) -> String? {
    guard let label = text.range(of: label) else { return nil }
    let rest = text[label.upperBound...].drop { $0 != "\"" }.dropFirst()
    return rest.isEmpty ? nil : String(rest.prefix { $0 != "\"" })
  }
}

extension Substring {
  /// Where a text first stands.
  fileprivate func range(of text: String) -> Range<Index>? {
    for index in indices where self[index...].hasPrefix(text) {
      return index..<self.index(index, offsetBy: text.count)
    }
    return nil
  }
}
