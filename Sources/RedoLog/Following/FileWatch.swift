import Glibc
import SystemPackage

/// Waits for changes of a log: by inotify on its directory, or, where there is none, for a short time.
final class FileWatch {
    private let descriptor: Int32
    /// How long is waited at once without inotify. Milliseconds.
    private static let pollingInterval: Int32 = 50

    init(directory: FilePath, usesNotification: Bool = true) {
        guard usesNotification else {
            descriptor = -1
            return
        }
        let notify = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        let events = UInt32(IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB)
        if notify >= 0 && inotify_add_watch(notify, directory.string, events) < 0 {
            // No watch to be had, or no such directory yet: polling does it too.
            close(notify)
            descriptor = -1
        } else {
            descriptor = notify
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether changes are told at once.
    var isNotified: Bool { descriptor >= 0 }

    /// Returns when something changed since the last call, or after this time.
    func wait(milliseconds: Int) {
        guard descriptor >= 0 else {
            _ = poll(nil, 0, min(Int32(clamping: milliseconds), Self.pollingInterval))
            return
        }
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, Int32(clamping: milliseconds)) > 0 else { return }
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 8) { buffer in
            while read(descriptor, buffer.baseAddress, buffer.count) > 0 {}
        }
    }
}
