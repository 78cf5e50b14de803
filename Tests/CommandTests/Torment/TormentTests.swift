import Testing

/// Real processes on loopback, killed, frozen and shouted at while clients write and read: one test after the other,
/// since each fills the machine. `TormentSettings` says how long they last.
@Suite("Torment", .serialized)
struct TormentTests {}
