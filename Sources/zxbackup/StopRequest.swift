#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Synchronization

/// SIGTERM and SIGINT: a wish to stop at the next safe point.
enum StopRequest {
    private static let made = Atomic<Bool>(false)

    /// Whether somebody asked the process to stop.
    static var isMade: Bool { made.load(ordering: .relaxed) }

    /// Turns the two signals into the wish. A second one while the first is being obeyed ends the process at once: nothing that
    /// was reported as done depends on an orderly end.
    static func install() {
        _ = isMade  // The variable exists before a handler can touch it.
        for number in [SIGTERM, SIGINT] {
            signal(number) { received in
                StopRequest.made.store(true, ordering: .relaxed)
                signal(received, SIG_DFL)
            }
        }
        // Whoever started the process may have blocked them: threads of a program that embeds us do.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT] { sigaddset(&signals, number) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        // A reader of our output that goes away is no reason to end in the middle of a write.
        signal(SIGPIPE, SIG_IGN)
    }
}
