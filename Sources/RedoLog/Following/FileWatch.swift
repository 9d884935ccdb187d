import Glibc
import SystemPackage

/// Wakes a follower when something happens in the log's folder; where the kernel has no watch to give, it only waits.
final class FileWatch {
    /// How long to wait at most without a watch, milliseconds.
    private static let pollingInterval = 20

    private let descriptor: CInt
    private var isWatching = false

    init(folder: FilePath) {
        descriptor = inotify_init1(CInt(O_CLOEXEC | O_NONBLOCK))
        guard descriptor >= 0 else { return }
        let events = IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE
        isWatching = folder.withPlatformString { inotify_add_watch(descriptor, $0, UInt32(events)) } >= 0
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Returns after a change in the folder, or after the time.
    func wait(milliseconds: Int) {
        guard isWatching else {
            usleep(UInt32(max(1, min(milliseconds, Self.pollingInterval)) * 1000))
            return
        }
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, CInt(clamping: milliseconds)) > 0 else { return }
        // What happened does not matter: the follower looks at the files.
        withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 8) { buffer in
            while Glibc.read(descriptor, buffer.baseAddress, buffer.count) > 0 {}
        }
    }
}
