public import Bytes
import Node
import Wire

// How nodes come in.
extension SimulatedWorld {
  /// Lets a new node join: invited and enrolled by the members, then started. Gives its number.
  public func join() throws -> NodeID {
    var result: Result<NodeID, SimulationError>?
    enrol(attempts: 1) { result = $0 }
    run(milliseconds: 30_000) { result != nil }
    guard let result else { throw SimulationError.refused("nobody answered") }
    return try result.get()
  }

  /// Lets a new node join, trying again where nobody answers; calls back with its number.
  func enrol(attempts: Int = 10, _ done: @escaping (Result<NodeID, SimulationError>) -> Void) {
    request(.with { $0.invite = WireInviteRequest() }, as: SimulatedWorld.admin, attempts: attempts) { [self] body in
      guard case .invite(let invitation)? = body else {
        return done(.failure(.refused("invite: \(String(describing: body))")))
      }
      // One key for all attempts, and of no member: so the members know the joiner again.
      joiners += 1
      let key = UInt8(random(in: 1...255))
      let signingRequest = [key] + withUnsafeBytes(of: UInt32(joiners).bigEndian) { [UInt8]($0) }
      let request = WireRequest.with {
        $0.enrol = .with {
          $0.secret = .init(invitation.token.utf8)
          $0.signingRequest = .init(signingRequest)
          $0.address = "node\(key):1"
          $0.format = nodeOptions.format
        }
      }
      self.request(request, as: .stranger, attempts: attempts) { [self] body in
        guard case .enrol(let answer)? = body else {
          return done(.failure(.refused("enrol: \(String(describing: body))")))
        }
        done(Result { () throws(SimulationError) in try admit(answer) })
      }
    }
  }

  private func admit(_ answer: WireEnrolResponse) throws(SimulationError) -> NodeID {
    let id = NodeID(rawValue: answer.node)
    guard disks[id] == nil else { throw .refused("node \(id) has joined before") }
    let disk = SimulatedDisk()
    var log = nodeOptions.log
    log.identity &+= UInt64(answer.node)
    do {
      try NodeDirectory.createMember(
        SimulatedWorld.directory, on: disk, cluster: "simulated", node: id, address: "node\(id):1",
        listen: "node\(id):1", members: answer.members, log: log)
      add(id, disk)
      try start(id)
    } catch {
      throw .refused("\(error)")
    }
    return id
  }

  /// Asks some node, and another where no answer comes that settles it.
  func request(
    _ request: WireRequest, as caller: Caller, attempts: Int, _ done: @escaping (WireResponse.OneOf_Body?) -> Void
  ) {
    let running = hosts.keys.sorted()
    var isOver = false
    func end(_ body: WireResponse.OneOf_Body?) {
      guard !isOver else { return }
      isOver = true
      if case .failure? = body { return again(body) }
      body == nil ? again(nil) : done(body)
    }
    func again(_ body: WireResponse.OneOf_Body?) {
      guard attempts > 1 else { return done(body) }
      self.request(request, as: caller, attempts: attempts - 1, done)
    }
    if !running.isEmpty {
      send(request, to: running[Int(random(in: 0...UInt64(running.count - 1)))], as: caller) { end($0) }
    }
    after(milliseconds: 8_000) { end(nil) }
  }
}
