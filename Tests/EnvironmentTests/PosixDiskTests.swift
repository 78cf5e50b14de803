import Environment
import Glibc
import Testing

@Suite("The host's file system")
struct PosixDiskTests {
  let disk = PosixDisk()

  @Test("What is written is read back, at any offset, and a read stops where the file ends")
  func roundTrip() throws {
    try withDirectory { directory in
      let file = try disk.open(directory + "/a", .create)
      try file.write([1, 2, 3], at: 5)
      try file.sync()
      #expect(try file.size() == 8)
      #expect(try file.read(at: 0, count: 100) == [0, 0, 0, 0, 0, 1, 2, 3])
      #expect(try file.read(at: 6, count: 1) == [2])
      #expect(try file.read(at: 8, count: 4) == [])
      try file.truncate(to: 6)
      #expect(try disk.contents(of: directory + "/a", limit: 6) == [0, 0, 0, 0, 0, 1])
      #expect(throws: DiskError(operation: "read", path: directory + "/a", code: EFBIG)) {
        try disk.contents(of: directory + "/a", limit: 5)
      }
    }
  }

  @Test("A write of several megabytes arrives whole")
  func large() throws {
    try withDirectory { directory in
      let bytes = (0..<5 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
      let file = try disk.open(directory + "/large", .create)
      try file.write(bytes, at: 1)
      #expect(try file.read(at: 1, count: bytes.count) == bytes)
    }
  }

  @Test("A linked file has two names, and lives on with either")
  func links() throws {
    try withDirectory { directory in
      let file = try disk.open(directory + "/a", .create)
      try file.write([1, 2], at: 0)
      try disk.link(directory + "/a", to: directory + "/b")
      try file.write([3], at: 2)
      #expect(throws: DiskError(operation: "link", path: directory + "/a", code: EEXIST)) {
        try disk.link(directory + "/a", to: directory + "/b")
      }
      try disk.remove(directory + "/a")
      #expect(try disk.contents(of: directory + "/b", limit: 9) == [1, 2, 3])
    }
  }

  @Test("Errors name the operation, the path and the system's number")
  func errors() throws {
    try withDirectory { directory in
      let path = directory + "/missing"
      #expect(throws: DiskError(operation: "open", path: path, code: ENOENT)) { try disk.open(path, .read) }
      #expect(throws: DiskError(operation: "remove", path: path, code: ENOENT)) { try disk.remove(path) }
      #expect(throws: DiskError(operation: "list", path: path, code: ENOENT)) { try disk.list(path) }
      #expect(throws: DiskError(operation: "rename", path: path, code: ENOENT)) {
        try disk.rename(path, to: directory + "/x")
      }
      _ = try disk.open(path, .create)
      #expect(throws: DiskError(operation: "create", path: path, code: EEXIST)) { try disk.open(path, .create) }
      #expect(throws: DiskError(operation: "create", path: path, code: EEXIST)) { try disk.createDirectory(path) }
      let file = try disk.open(path, .readWrite)
      #expect(throws: DiskError(operation: "write", path: path, code: EFBIG)) { try file.write([1], at: .max) }
      #expect(throws: DiskError(operation: "write", path: path, code: EBADF)) {
        try disk.open(path, .read).write([1], at: 0)
      }
    }
  }

  @Test("Files and directories are for their owner alone, are listed in order, renamed and removed")
  func names() throws {
    try withDirectory { directory in
      for name in ["c", "a", "b"] { _ = try disk.open(directory + "/" + name, .create) }
      try disk.createDirectory(directory + "/sub")
      try disk.createDirectory(directory + "/sub")
      #expect(mode(directory + "/a") == 0o600)
      #expect(mode(directory + "/sub") == 0o700)
      try disk.rename(directory + "/c", to: directory + "/b")
      try disk.remove(directory + "/sub")
      try disk.syncDirectory(directory)
      #expect(try disk.list(directory) == ["a", "b"])
      #expect(disk.exists(directory + "/a") && !disk.exists(directory + "/c"))
      #expect(try disk.freeBytes(directory) > 0)
    }
  }

  @Test("Replacing a file leaves its new content and nothing else")
  func replace() throws {
    try withDirectory { directory in
      try disk.replace(directory + "/f", with: [1])
      try disk.replace(directory + "/f", with: [2, 3])
      #expect(try disk.contents(of: directory + "/f", limit: 10) == [2, 3])
      #expect(try disk.list(directory) == ["f"])
    }
  }

  private func mode(_ path: String) -> mode_t {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
  }
}

@Suite("The lock of a data directory")
struct DirectoryLockTests {
  @Test("A second holder is refused and told which process has it; after release it is free")
  func exclusive() throws {
    try withDirectory { directory in
      do {
        let lock = try DirectoryLock(directory: directory)
        #expect(throws: DirectoryLockError.held(path: directory + "/LOCK", pid: getpid())) {
          _ = try DirectoryLock(directory: directory)
        }
        _ = consume lock
      }
      _ = try DirectoryLock(directory: directory)
    }
  }

  @Test("A directory that is not there is an error of the disk, not of the lock")
  func missing() throws {
    try withDirectory { directory in
      let path = directory + "/none/LOCK"
      #expect(throws: DirectoryLockError.disk(DiskError(operation: "open", path: path, code: ENOENT))) {
        _ = try DirectoryLock(directory: directory + "/none")
      }
    }
  }
}

@Suite("The host's clocks")
struct SystemClockTests {
  @Test("The steady clock never goes back, and the wall clock says a time after this was written")
  func reading() {
    let clock = SystemClock()
    let first = clock.now
    #expect(clock.now >= first)
    #expect(clock.wallMilliseconds > 1_700_000_000_000)
  }
}

/// Runs a test in a fresh directory and removes it afterwards.
func withDirectory(_ body: (String) throws -> Void) throws {
  let parent = getenv("TMPDIR").map { String(cString: $0) } ?? P_tmpdir
  var template = Array("\(parent)/kv-environment-XXXXXX".utf8CString)
  let made = mkdtemp(&template)
  let directory = String(cString: try #require(made))
  defer { _ = try? remove(recursively: directory) }
  try body(directory)
}

private func remove(recursively path: String) throws {
  let disk = PosixDisk()
  for name in (try? disk.list(path)) ?? [] { try remove(recursively: path + "/" + name) }
  try disk.remove(path)
}
