import CShims
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Keeps a scan out of the mail server's way: its thread reads when nobody else does, and pauses while the machine is busy.
package final class Politeness {
    /// How much is worked before the load is looked at, and at most paused then.
    private static let slice = Duration.milliseconds(200)

    private let processors = Double(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    private let before: Int32
    private var sliceBegan = ContinuousClock.now

    /// Begins for the calling thread.
    package init() {
        before = zx_io_priority()
        zx_set_io_priority(zx_io_priority_idle)
    }

    /// Gives the thread its old place back.
    package func end() { if before >= 0 { zx_set_io_priority(before) } }

    /// Pauses where more wants to run than there are processors; as long as was worked at most.
    package func pause() {
        guard ContinuousClock.now - sliceBegan >= Self.slice else { return }
        var load = 0.0
        if getloadavg(&load, 1) == 1, load > processors { usleep(200_000) }
        sliceBegan = .now
    }
}
