#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupCore
import BackupStore
import NIOCore
import NIOPosix
import SystemPackage

/// The running service's ear: a Unix socket in the state folder, on which its owner and root give orders.
///
/// A line of JSON in, lines of JSON out, and the connection is over. Who is at the other end is asked of the kernel; a client that
/// says nothing, too much or nonsense, or does not read, costs its own connection and nothing else.
final class ServiceSocket: Sendable {
    /// What the service does with orders.
    struct Handling: Sendable {
        /// How the service is.
        var state: @Sendable () -> JSONObject
        /// Takes an order in; the answer comes when it is done, from any thread.
        var run: @Sendable (ServiceOrder.Run, @escaping @Sendable (ServiceReply) -> Void) -> Void
        /// Ends one operation or all, and says which.
        var stop: @Sendable (String?) -> JSONObject
    }

    /// Clients beyond this number are turned away.
    private static let clients = 64

    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let path: FilePath

    static func path(stateFolder: FilePath) -> FilePath { stateFolder.appending("serve.sock") }

    /// Begins to listen.
    ///
    /// - Throws: ``ServiceError`` where another service listens already, or the folder is not safe.
    init(stateFolder: FilePath, owner: uid_t = geteuid(), _ handling: Handling) throws {
        path = Self.path(stateFolder: stateFolder)
        try Self.makeSafe(stateFolder)
        if let other = try ServiceClient.connect(path) {
            close(other)
            throw ServiceError(
                doing: "listening for commands", subject: path.string, reason: "another service listens there",
                remedy: "Give each service a stateFolder of its own")
        }
        let open = ClientCount(limit: Self.clients)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // Made where nobody else can reach it, and moved into place with its rights: at no moment is it open to others.
        let cradle = stateFolder.appending(".tmp-\(getpid())-\(UInt32.random(in: 0...UInt32.max))")
        do {
            guard mkdir(cradle.string, 0o700) == 0 else { throw Errno(rawValue: errno) }
            defer { rmdir(cradle.string) }
            let made = cradle.appending("s")
            channel = try ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 64)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(OrderHandler(owner: owner, open, handling))
                    }
                }
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .bind(unixDomainSocketPath: made.string).wait()
            do {
                guard chmod(made.string, 0o600) == 0, rename(made.string, path.string) == 0 else { throw Errno(rawValue: errno) }
            } catch {
                unlink(made.string)
                throw error
            }
        } catch {
            try? group.syncShutdownGracefully()  // That it could not listen is what is told.
            throw ServiceError(
                doing: "listening for commands", subject: path.string, reason: "\(error)",
                remedy: "Check 'stateFolder' of the configuration; a socket's path has at most 107 bytes")
        }
        self.group = group
    }

    /// Stops listening and ends all connections.
    func end() throws {
        unlink(path.string)
        try channel.close().wait()
        try group.syncShutdownGracefully()
    }

    /// Makes the state folder, and refuses one that others may write to: they could put a socket of their own in place of ours.
    private static func makeSafe(_ folder: FilePath) throws {
        try StateFolder.make(folder)
        var status = stat()
        guard stat(folder.string, &status) == 0, status.st_mode & 0o022 == 0, [geteuid(), 0].contains(status.st_uid) else {
            throw ServiceError(
                doing: "listening for commands", subject: folder.string, reason: "others may write to the state folder",
                remedy: "chmod 700 \(folder), and let it belong to the service's user")
        }
    }
}

/// Why the service cannot be reached, or cannot listen.
struct ServiceError: Error, CustomStringConvertible {
    var doing: String
    var subject: String
    var reason: String
    var remedy: String
    var description: String { "\(doing): \(subject): \(reason)" + (remedy.isEmpty ? "" : ". \(remedy)") }
}

/// Who is at the other end: `struct ucred` of unix(7), which the C library shows to GNU programs only.
private struct PeerCredentials: Sendable {
    var pid: Int32
    var uid: uid_t
    var gid: gid_t
}

/// How many clients there are; touched on the event loop only.
private final class ClientCount: @unchecked Sendable {
    // What makes it Sendable: there is one event loop.
    private let limit: Int
    private var count = 0

    init(limit: Int) { self.limit = limit }

    func enter() -> Bool {
        count += 1
        return count <= limit
    }

    func leave() { count -= 1 }
}

/// One client: its line is read, the answers are written, the end.
private final class OrderHandler: ChannelInboundHandler, @unchecked Sendable {
    // What makes it Sendable: it is touched on its event loop only.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Time for saying what one wants, and for reading the last of the answer.
    private static let patience = TimeAmount.seconds(10)

    private let owner: uid_t
    private let clients: ClientCount
    private let handling: ServiceSocket.Handling
    private var line: [UInt8] = []
    private var isTrusted = false
    private var hasOrdered = false
    private var timer: Scheduled<Void>?

    init(owner: uid_t, _ clients: ClientCount, _ handling: ServiceSocket.Handling) {
        self.owner = owner
        self.clients = clients
        self.handling = handling
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        guard clients.enter() else { return refuse("too many clients at a time", channel) }
        guard let options = channel as? any SocketOptionProvider else { return refuse("who asks cannot be told", channel) }
        let credentials: EventLoopFuture<PeerCredentials> = options.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        credentials.whenComplete { [self] result in
            guard case .success(let peer) = result else { return refuse("who asks cannot be told", channel) }
            guard peer.uid == owner || peer.uid == 0 else {
                return refuse("user \(peer.uid) may not give orders: only user \(owner) and root may", channel)
            }
            isTrusted = true
            takeLine(channel)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        clients.leave()
        timer?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasOrdered else { return }  // There is one order a connection.
        line.append(contentsOf: unwrapInboundIn(data).readableBytesView)
        takeLine(context.channel)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func takeLine(_ channel: any Channel) {
        guard isTrusted, !hasOrdered else { return }
        guard let end = line.firstIndex(of: UInt8(ascii: "\n")) else {
            if line.count >= ServiceOrder.longest { refuse("an order is no longer than \(ServiceOrder.longest) bytes", channel) }
            return
        }
        guard end < ServiceOrder.longest else {
            return refuse("an order is no longer than \(ServiceOrder.longest) bytes", channel)
        }
        hasOrdered = true
        let text = Array(line[..<end])
        line = []
        do {
            switch try ServiceOrder(line: text) {
            case .state: finish([.state(handling.state()), .exit(.successful)], channel)
            case .stop(let id): finish([.state(handling.stop(id)), .exit(.successful)], channel)
            case .run(let run):
                timer?.cancel()
                // The loop answers from its own thread: order is kept, whoever calls.
                handling.run(run) { reply in
                    channel.eventLoop.execute { self.answer(reply, channel) }
                }
            }
        } catch let error as ServiceOrder.Malformed {
            refuse(error.reason, channel)
        } catch {
            refuse("\(error)", channel)
        }
    }

    private func answer(_ reply: ServiceReply, _ channel: any Channel) {
        switch reply {
        case .exit, .refused, .elsewhere: finish([reply], channel)
        // A client that does not read misses how far it is.
        case .progress where !channel.isWritable: break
        default: channel.writeAndFlush(ByteBuffer(string: reply.line), promise: nil)
        }
    }

    private func refuse(_ reason: String, _ channel: any Channel) {
        hasOrdered = true
        line = []
        finish([.refused(reason)], channel)
    }

    /// Writes the last answers; the client has a while to read them.
    private func finish(_ replies: [ServiceReply], _ channel: any Channel) {
        timer?.cancel()
        timer = channel.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
        channel.writeAndFlush(ByteBuffer(string: replies.map(\.line).joined())).whenComplete { _ in channel.close(promise: nil) }
    }
}
