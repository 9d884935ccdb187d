import SandboxServer
import Synchronization

/// The clock of a life: each look at it takes a millisecond, and it is moved on by hand.
final class LifeClock: Sendable {
    private let time = Mutex<Int64>(1_795_425_774_937)

    /// A server's options with this clock.
    var options: SandboxServer.Options {
        var options = SandboxServer.Options()
        options.clock = { self.advance(1) }
        return options
    }

    /// Moves on by milliseconds, and returns the time.
    @discardableResult
    func advance(_ milliseconds: Int64) -> Int64 {
        time.withLock {
            $0 += milliseconds
            return $0
        }
    }
}
