import BackupCore
import NIOCore
import NIOPosix

/// A sandbox server's LMTP listener (RFC 2033): mail comes in as a mail transfer agent brings it, one answer for each recipient.
///
///     let listener = try LMTPServer(server, host: "127.0.0.1", port: 7025)
///     print(listener.port)
///     try listener.close()
///
/// The server's calls block, so each connection's deliveries run on a thread of a pool, never on an event loop.
public final class LMTPServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let pool: NIOThreadPool
    private let channel: any Channel

    /// The port that it listens on.
    public let port: Int

    /// Begins to listen.
    ///
    /// - Parameter port: 0 = any that is free; the real server's is 7025.
    /// - Throws: what binding the address throws.
    public init(_ server: SandboxServer, host: String = "127.0.0.1", port: Int = 7025) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        do {
            channel = try ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 256)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(LMTPHandler(server, pool))
                    }
                }
                // One read, one piece: the next one is asked for when this one is answered.
                .childChannelOption(.autoRead, value: false)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .bind(host: host, port: port).wait()
        } catch {
            try? group.syncShutdownGracefully()  // The address is what went wrong.
            throw SandboxError(.fileFailed, doing: "listening for LMTP on \(host):\(port)", reason: "\(error)")
        }
        self.group = group
        self.pool = pool
        self.port = channel.localAddress?.port ?? port
    }

    /// Waits until the listener is closed.
    public func wait() throws { try channel.closeFuture.wait() }

    /// Stops listening and ends all connections.
    public func close() throws {
        try channel.close().wait()
        try group.syncShutdownGracefully()
        try pool.syncShutdownGracefully()
    }
}

/// One connection: bytes go to the session on the pool, answers come back; the next bytes are read when they are written.
private final class LMTPHandler: ChannelInboundHandler, @unchecked Sendable {
    // What makes it Sendable: the session is touched by one job on the pool at a time, since nothing is read before that one's
    // answer is written.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var session: LMTPSession
    private let pool: NIOThreadPool

    init(_ server: SandboxServer, _ pool: NIOThreadPool) {
        self.pool = pool
        session = LMTPSession(
            host: server.identity.name, findMailbox: { try server.accountID($0) != nil },
            deliver: { message, recipients in
                let delivered = try server.deliver(message, to: recipients)
                // One recipient: delivered, or nothing was returned.
                if recipients.count == 1 { return recipients }
                let mailboxes = Set(delivered.map(\.mailboxID))
                return try recipients.filter { mailboxes.contains(try server.openMailbox($0).mailboxID) }
            })
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: session.banner)), promise: nil)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let channel = context.channel
        pool.runIfActive(eventLoop: context.eventLoop) { () -> (String, Bool) in
            let answer = self.session.receive(bytes.readableBytesView)
            return (answer, self.session.isOver)
        }.whenComplete { result in
            guard case .success(let (answer, isOver)) = result else {
                channel.close(promise: nil)
                return
            }
            if !answer.isEmpty { channel.writeAndFlush(ByteBuffer(string: answer), promise: nil) }
            if isOver { channel.close(promise: nil) } else { channel.read() }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The client went away: nothing was promised to it yet.
        context.close(promise: nil)
    }
}
