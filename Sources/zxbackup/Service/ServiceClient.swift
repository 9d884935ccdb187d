#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupStore
import SystemPackage

/// Talks to the running service.
enum ServiceClient {
    /// More bytes in one line of an answer are none.
    private static let longestAnswer = 64 << 20

    /// Has a command done by the running service, and shows what it says.
    ///
    /// - Returns: nil where no service runs for this backup path: the command does the work itself.
    /// - Throws: ``ServiceError``.
    static func run(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus? {
        let order = ServiceOrder.Run(
            command: invocation.command.name,
            parameters: Dictionary(uniqueKeysWithValues: invocation.given.map { ($0.name, $0.value) }),
            json: invocation.options.json,
            backupPath: realPath(invocation.backupPath(configuration)), server: configuration.serverName,
            asker: userName())
        StopRequest.install()
        var end: CommandStatus?
        var isElsewhere = false
        let isThere = try talk(.run(order), configuration, stop: console.mustStop) { reply in
            switch reply {
            case .output(let text): console.write(text)
            case .errors(let text): console.errors(text)
            case .progress(let progress): console.progress(progress)
            case .waiting(let count):
                console.errors("waiting for \(count) \(count == 1 ? "operation" : "operations") of the service\n")
            case .state: break
            case .exit(let status): end = status
            case .refused(let reason): throw failure("giving an order", configuration, "the service refused it: \(reason)", "")
            case .elsewhere: isElsewhere = true
            }
            return end == nil && !isElsewhere
        }
        guard isThere, !isElsewhere else { return nil }
        if let end { return end }
        if console.mustStop() {
            console.errors("\(invocation.command.name) goes on in the service; getAllOperations shows how far it is\n")
            return .interrupted
        }
        throw failure(
            "waiting for the end of \(invocation.command.name)", configuration,
            "the service ended before it said that the command was done",
            "Look at the service's own messages, start it again, and run the command again")
    }

    /// How the running service is; nil where none runs.
    static func state(_ configuration: Configuration) throws -> JSONObject? { try ask(.state, configuration) }

    /// Ends an operation, or all where `id` is nil.
    ///
    /// - Returns: which are stopped and which taken off the queue; nil where no service runs.
    static func stop(_ id: String?, _ configuration: Configuration) throws -> JSONObject? { try ask(.stop(id), configuration) }

    private static func ask(_ order: ServiceOrder, _ configuration: Configuration) throws -> JSONObject? {
        var state: JSONObject?
        _ = try talk(order, configuration, stop: { false }) { reply in
            switch reply {
            case .state(let members): state = members
            case .refused(let reason): throw failure("asking the service", configuration, "the service refused: \(reason)", "")
            case .exit: return false
            default: break
            }
            return true
        }
        return state
    }

    /// A connection to the socket; nil where nobody listens.
    static func connect(_ path: FilePath) throws -> Int32? {
        func failed(_ error: Errno) -> ServiceError {
            ServiceError(
                doing: "connecting to the service", subject: path.string, reason: "\(error)",
                remedy: "Its owner and root may give it orders")
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.string.utf8)
        // A path that is too long for a socket has none.
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failed(Errno(rawValue: errno)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result != 0 else { return descriptor }
        let error = Errno(rawValue: errno)
        close(descriptor)
        // No such file; or one that a killed service left behind.
        if error == .noSuchFileOrDirectory || error == .connectionRefused || error == .notDirectory { return nil }
        throw failed(error)
    }

    /// Sends an order and hands out the answers until `take` says that it has enough.
    ///
    /// - Returns: false where no service runs.
    private static func talk(
        _ order: ServiceOrder, _ configuration: Configuration, stop: () -> Bool, _ take: (ServiceReply) throws -> Bool
    ) throws -> Bool {
        guard let descriptor = try connect(ServiceSocket.path(stateFolder: configuration.stateFolder)) else { return false }
        defer { close(descriptor) }
        try send(Array(order.line.utf8), descriptor, configuration)
        var line: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while !stop() {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 200) > 0 else { continue }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return true }
            for byte in chunk[..<count] {
                guard byte == UInt8(ascii: "\n") else {
                    line.append(byte)
                    continue
                }
                guard let reply = ServiceReply(line: line) else {
                    throw failure("reading what the service says", configuration, "it is not understood", "Restart the service")
                }
                line.removeAll(keepingCapacity: true)
                guard try take(reply) else { return true }
            }
            guard line.count <= longestAnswer else {
                throw failure("reading what the service says", configuration, "a line of it has no end", "Restart the service")
            }
        }
        return true
    }

    private static func send(_ bytes: [UInt8], _ descriptor: Int32, _ configuration: Configuration) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if sent < 0, errno == EINTR { continue }
            // A service that refuses before it has read everything says why.
            guard sent > 0 else { return }
            rest = rest.dropFirst(sent)
        }
    }

    private static func failure(_ doing: String, _ configuration: Configuration, _ reason: String, _ remedy: String)
        -> ServiceError
    {
        ServiceError(
            doing: doing, subject: ServiceSocket.path(stateFolder: configuration.stateFolder).string, reason: reason,
            remedy: remedy)
    }
}

/// The path without links; as it is where there is none.
func realPath(_ path: FilePath) -> String {
    guard let resolved = realpath(path.string, nil) else { return path.string }
    defer { free(resolved) }
    return String(cString: resolved)
}
