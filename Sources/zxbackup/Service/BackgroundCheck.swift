import BackupCore
import BackupStore
import Foundation
import Synchronization
import SystemPackage

/// The coherency check that the service makes by itself: by its schedule, and when something looked damaged.
///
/// It reads, without the lock, on a thread of its own: the log is followed meanwhile. What it finds is told; mending is the
/// administrator's.
final class BackgroundCheck: Sendable {
    /// What looks damaged begins a check once in so many milliseconds.
    private static let patience: Int64 = 86_400_000

    private struct State {
        var isRunning = false
        var mustStop = false
        /// When the last one began, milliseconds since 1970.
        var since: Int64?
        var reason = ""
        var result: (time: Int64, damages: Int64, isStopped: Bool)?
        var error: String?
    }

    private let path: FilePath
    private let tell: @Sendable (String) -> Void
    private let state = Mutex(State())
    private let running = DispatchGroup()

    /// - Parameter tell: receives a line when a check has ended.
    init(_ path: FilePath, tell: @escaping @Sendable (String) -> Void) { (self.path, self.tell) = (path, tell) }

    /// Begins a check, unless one runs, or what looks damaged was checked a short while ago.
    func begin(because reason: String, at time: Int64, isScheduled: Bool) {
        let isDue = state.withLock { state in
            if state.isRunning || !isScheduled && state.since.map({ time - $0 < Self.patience }) ?? false { return false }
            (state.isRunning, state.since, state.reason) = (true, time, reason)
            return true
        }
        guard isDue else { return }
        running.enter()
        let thread = Thread { [self] in
            defer { running.leave() }
            let politeness = Politeness()
            do {
                var check = StoreCheck(of: path)
                check.threads = 1  // Mail goes first.
                end(
                    try check.run(stop: {
                        politeness.pause()
                        return self.state.withLock { $0.mustStop }
                    }))
            } catch {
                state.withLock { ($0.isRunning, $0.error) = (false, "\(error)") }
                tell("the coherency check ended early: \(error)")
            }
        }
        thread.start()
    }

    private func end(_ report: CheckReport) {
        state.withLock { state in
            (state.isRunning, state.error) = (false, nil)
            state.result = (milliseconds(), report.damages, report.isStopped)
        }
        guard report.isDamaged else { return }
        for finding in report.findings.filter({ $0.severity == .damage }).prefix(20) { tell("\(finding)") }
        tell(
            "Critical: the coherency check found \(report.damages) damages. 'doCoherencyCheck \(path) fixBackup true' mends what can be mended")
    }

    /// Ends a check that runs, and waits for it.
    func end() {
        state.withLock { $0.mustStop = true }
        running.wait()
    }

    /// For `status`; nil where none was begun.
    var json: JSONObject? {
        state.withLock { state in
            guard let since = state.since else { return nil }
            var members: JSONObject = ["since": .int(since), "reason": .string(state.reason), "running": .bool(state.isRunning)]
            if let result = state.result {
                members["ended"] = .int(result.time)
                members["damages"] = .int(result.damages)
                members["stopped"] = .bool(result.isStopped)
            }
            members["error"] = state.error.map { .string($0) }
            return members
        }
    }
}
