import Glibc
import SystemPackage

/// Lets the processes that write to a server take turns, and says what the one before left.
///
/// A lock file holds one line: what its last holder did (`W` works, `I` is idle, `S` stopped in an orderly way) and who it was.
final class WriterTurn {
    /// How a turn begins.
    enum Arrival {
        /// Nobody else wrote since the last turn.
        case continued
        /// Another process wrote, and is idle.
        case handedOver
        /// The server was stopped, or never ran.
        case restarted
        /// Another process died while it wrote.
        case crashed
    }

    private let path: FilePath
    private let descriptor: CInt
    private let name: [UInt8]

    init(_ path: FilePath) throws {
        self.path = path
        descriptor = open(path.string, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Files.failure("opening the server's lock", path) }
        name = Array(UUIDText.random().utf8)
    }

    deinit { close(descriptor) }

    /// Waits for the turn.
    func begin() throws -> Arrival {
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw Files.failure("locking the server", path) }
        }
        var line = [UInt8](repeating: 0, count: 1 + name.count)
        let count = pread(descriptor, &line, line.count, 0)
        let isMine = count == line.count && line[1...].elementsEqual(name)
        let state = count > 0 ? line[0] : UInt8(ascii: "S")
        write(UInt8(ascii: "W"))
        switch state {
        case UInt8(ascii: "W"): return isMine ? .continued : .crashed
        case UInt8(ascii: "I"): return isMine ? .continued : .handedOver
        default: return .restarted
        }
    }

    /// Ends the turn.
    func end(stopped: Bool = false) {
        write(stopped ? UInt8(ascii: "S") : UInt8(ascii: "I"))
        flock(descriptor, LOCK_UN)
    }

    private func write(_ state: UInt8) {
        let line = [state] + name
        // A line that could not be written makes the next turn read more than it needs, no worse.
        _ = pwrite(descriptor, line, line.count, 0)
    }
}
