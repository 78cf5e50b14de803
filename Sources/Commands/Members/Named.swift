import Client

/// Calls the cluster about nodes or partitions that the command line names: that there is none of a number is a mistake in
/// the command line, not in data.
func askingByNumber<Answer>(_ call: () throws(ClientError) -> Answer) throws(CommandError) -> Answer {
  do throws(ClientError) {
    return try call()
  } catch {
    if case .invalid(let words) = error { throw .usage(words) }
    throw .client(error)
  }
}
