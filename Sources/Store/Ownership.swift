/// Which keys are a store's own, and what of it may hold others: those that it shared with another store when a
/// partition was cut, until they are written anew without them.
struct Ownership {
  /// nil: all keys are the store's own.
  private(set) var filter: KeyFilter?
  /// Counts the changes of the filter.
  private(set) var number = 0
  /// The tables that may hold others' keys, by number.
  private(set) var mixedTables: Set<UInt64> = []
  /// The memtables that may; they make such tables.
  private var mixedMemtables: [Memtable] = []

  /// Whether anything may hold others' keys.
  var isMixed: Bool { !mixedTables.isEmpty || !mixedMemtables.isEmpty }

  /// Takes a filter into force for what there is now and all that comes.
  mutating func change(_ filter: KeyFilter?, tables: [TableFile], memtables: [Memtable]) {
    self.filter = filter
    number += 1
    mixedTables = filter == nil ? [] : Set(tables.map(\.entry.number))
    mixedMemtables = filter == nil ? [] : memtables.filter { !$0.isEmpty }
  }

  /// A memtable has become tables.
  mutating func flushed(_ memtable: Memtable, into tables: [TableFile]) {
    guard let place = mixedMemtables.firstIndex(where: { $0 === memtable }) else { return }
    mixedMemtables.remove(at: place)
    mixedTables.formUnion(tables.map(\.entry.number))
  }

  /// Tables have been written, under the filter of a number, in the place of others.
  mutating func replaced(_ inputs: [TableFile], with outputs: [TableFile], number: Int) {
    if number != self.number, filter != nil { mixedTables.formUnion(outputs.map(\.entry.number)) }
    let kept = Set(outputs.map(\.entry.number))
    mixedTables.subtract(inputs.map(\.entry.number).filter { !kept.contains($0) })
  }
}
