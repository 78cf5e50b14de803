import Glibc

/// The three descriptors that a program finds open, or not.
enum StandardDescriptors {
  /// Opens those that the process was started without (`<&- >&- 2>&-`): else the next files and connections to be opened
  /// would get their numbers, and what is meant for a person would be written into them.
  ///
  /// What is opened instead fails where input is expected or output is due, so that neither seems to have worked;
  /// messages are dropped.
  static func occupy() {
    for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY)]
    where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is the missing one: those below are open by now.
      _ = open("/dev/null", mode)
    }
  }
}
