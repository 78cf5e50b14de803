import Wire

extension Node {
  /// Tells the catalog where this node is, if it was told to be elsewhere than the catalog says.
  func tellAddressIfDue() {
    guard !isTellingAddress, let known = catalog.catalog?.node(id)?.address, known != address,
      router.leader(of: .catalog) != nil
    else { return }
    isTellingAddress = true
    proposeToCatalog(
      .with {
        $0.setAddress = .with {
          $0.node = id.rawValue
          $0.address = address
        }
      }
    ) { [self] isDone in
      isTellingAddress = false
      if isDone { host.log(.info, "the cluster knows this node at \(address) now") }
    }
  }
}
