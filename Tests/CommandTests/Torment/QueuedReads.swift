import Bytes
import FoundationEssentials
import Wire

@testable import Client
@testable import Commands

/// Reads that are sent to one node while it is frozen, many behind each other on connections made before, and wait
/// there for its thaw.
///
/// The first one on each connection goes out just before the freeze: the node finds that connection readable before
/// those of its peers, from which it would learn that it leads no more, and takes all that has come on it since.
final class QueuedReads {
  /// A read under way, and what its answer must not be below.
  private struct Sent {
    let link: Link
    let request: UInt64
    let register: Int
    let floor: UInt64
  }

  private static let connections = 12
  /// How long the node may take to answer once it runs again, in milliseconds.
  private static let answerMilliseconds: UInt64 = 20_000

  private let clients: RegisterClients
  private let registers: [Int]
  private let links: [(client: Client, link: Link)]
  private let other: Client
  private var sent: [Sent] = []
  /// How many reads the node has answered, and how many it has refused, as one may that leads no more.
  private(set) var answered = 0
  private(set) var refused = 0

  /// Makes the connections. The reads will be of these registers in turn.
  /// - Parameters:
  ///   - file: names the node alone.
  ///   - whole: names all nodes.
  init(_ clients: RegisterClients, _ registers: [Int], file: ClusterFile, whole: ClusterFile) throws {
    self.clients = clients
    self.registers = registers
    other = Client(whole, timeoutMilliseconds: Int(QueuedReads.answerMilliseconds))
    links = try (0..<QueuedReads.connections).map { _ in
      // Time for a freeze, and to answer after it.
      let client = Client.pinned(file, Int(TormentSettings.freezeMilliseconds + QueuedReads.answerMilliseconds))
      _ = try client.get(clients.registers.keys[registers[0]])
      return (client, try client.link(to: file.addresses[0], until: client.deadline))
    }
  }

  /// Sends one read over each connection: most of the latest value, some of the oracle's latest version.
  func send() throws {
    for (client, link) in links {
      let register = registers[sent.count % registers.count]
      let floor = clients.registers.floor(register)
      var get = WireGetRequest()
      get.key = Data(clients.registers.keys[register].bytes)
      let body: WireRequest.OneOf_Body = sent.count % 3 == 0 ? .now(WireNowRequest()) : .get(get)
      let request = client.request(body, time: UInt64(client.timeout))
      link.gather(request)
      try link.flush(until: client.deadline)
      sent.append(Sent(link: link, request: request.id, register: register, floor: floor))
    }
  }

  /// Judges all answers, after the thaw.
  func judge() throws {
    for read in sent {
      let deadline = ProcessFacts.steadyMilliseconds + QueuedReads.answerMilliseconds
      var answer: WireResponse.OneOf_Body?
      while answer == nil, ProcessFacts.steadyMilliseconds < deadline {
        answer = try read.link.answer(to: read.request, until: other.surroundings.now + 1000)
      }
      try judge(read, answer)
    }
  }

  private func judge(_ read: Sent, _ answer: WireResponse.OneOf_Body?) throws {
    switch answer {
    case .get(let get):
      let found = Found(version: Version(rawValue: get.version), value: get.value.array)
      clients.take(read.register, get.found ? found : nil, floor: read.floor)
      answered += 1
    case .now(let now):
      // What a range begins with: at this version everything acknowledged before has to be visible.
      let key = clients.registers.keys[read.register]
      clients.take(read.register, try other.get(key, at: Version(rawValue: now.version)), floor: read.floor)
      answered += 1
    case .failure: refused += 1
    default: throw CommandError.notInTime("a read that waited for the thaw was not answered")
    }
  }
}
