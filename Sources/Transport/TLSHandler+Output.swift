internal import Bytes
internal import NIOCore
internal import TLS

extension TLSHandler {
  /// Appends a frame to the output.
  func append(_ kind: UInt8, _ write: (inout ByteBuffer) -> Void) {
    guard phase == .open else { return }
    let start = plaintext.writerIndex
    plaintext.writeInteger(0, as: UInt64.self)
    write(&plaintext)
    let header = FrameHeader(kind: kind, payloadBytes: plaintext.writerIndex - start - FrameHeader.encodedBytes)
    plaintext.setInteger(header.word, at: start, endianness: .little)
    if plaintext.readableBytes >= Limits.outboundBatch.rawValue {
      flush()
    } else {
      scheduleFlush()
    }
  }

  /// Sees to it that output leaves although no read of this connection is under way.
  private func scheduleFlush() {
    guard flushesItself, !isReading, !isFlushScheduled else { return }
    isFlushScheduled = true
    flushQueue.add(self)
  }

  /// The turn of the loop ends.
  func flushInTurn() {
    isFlushScheduled = false
    flush()
  }

  /// Encrypts what was appended and writes it, behind what TLS itself has to say.
  func flush() {
    guard let context, !isOutputClosed, plaintext.readableBytes > 0 || session.pendingOutput > 0 else { return }
    let room = session.pendingOutput + TLSSession.ciphertextBytes(for: plaintext.readableBytes)
    ciphertext.clear(minimumCapacity: room)
    var failure: TLSError?
    // SAFETY: the region has at least `room` bytes, of which `count` are written: what is left begins there. The
    // session writes no further than the region that it is given.
    ciphertext.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { region in
      var count = session.takeOutput(into: region)
      do throws(TLSError) {
        count += try encrypt(into: UnsafeMutableRawBufferPointer(rebasing: region[count...]))
      } catch {
        failure = error
      }
      // What TLS added by itself, such as a new key, may have found no room above: then it goes out below.
      return count + session.takeOutput(into: UnsafeMutableRawBufferPointer(rebasing: region[count...]))
    }
    plaintext.recycle()
    let output = ciphertext
    if ciphertext.capacity > Limits.keptBuffer.rawValue { ciphertext = ByteBuffer() }
    enqueuedBytes += output.readableBytes
    isWriting = true
    context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    isWriting = false
    if let failure {
      fail(.tls(failure))
    } else if session.pendingOutput > 0 {
      flush()
    } else if !context.channel.isWritable {
      boundOutput()
    }
  }

  private func encrypt(into region: UnsafeMutableRawBufferPointer) throws(TLSError) -> Int {
    guard phase == .open, plaintext.readableBytes > 0 else { return 0 }
    return try plaintext.withUnsafeReadableBytes { (bytes) throws(TLSError) in
      try session.write(bytes, into: region)
    }
  }

  /// The bytes of ciphertext that wait for the kernel to take them.
  private var waitingCiphertext: Int {
    (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
  }

  var outboundPending: Int {
    plaintext.readableBytes + waitingCiphertext
  }

  var isBusy: Bool { context.map { !$0.channel.isWritable } ?? false }

  private func boundOutput() {
    let waiting = waitingCiphertext
    if waiting > Limits.outboundBytes.rawValue, phase == .open {
      fail(.slowPeer(waitingBytes: waiting))
    } else {
      watchForStall()
    }
  }

  /// Closes the connection if the peer takes nothing for too long.
  private func watchForStall() {
    guard stallTimer == nil, phase == .open, let context else { return }
    let taken = enqueuedBytes - waitingCiphertext
    let limit = TimeAmount.milliseconds(Limits.stallMilliseconds)
    stallTimer = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [self] in
      stallTimer = nil
      let waiting = waitingCiphertext
      if waiting == 0 { return }
      if enqueuedBytes - waiting == taken { fail(.slowPeer(waitingBytes: waiting)) } else { watchForStall() }
    }
  }

  /// A server stops reading requests while their replies are not taken. A client always reads: were both to wait for
  /// the other, neither would ever go on.
  func read(context: ChannelHandlerContext) {
    if isServer, phase == .open, !context.channel.isWritable {
      isReadPaused = true
    } else {
      context.read()
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable {
      if isReadPaused {
        isReadPaused = false
        context.read()
      }
      if phase == .open, let connection {
        receiver?.drained(connection)
        flush()
      }
    }
    context.fireChannelWritabilityChanged()
  }
}

extension ByteBuffer {
  /// Empties the buffer and keeps its memory unless it has grown large.
  fileprivate mutating func recycle() {
    if capacity > Limits.keptBuffer.rawValue { self = ByteBuffer() } else { clear() }
  }
}
