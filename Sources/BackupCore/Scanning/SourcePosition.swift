import BackupStore
import RedoLog

/// How far the server's redo log is in the backup path: committed with the states it produced (R4).
struct SourcePosition {
    var log: LogPosition
    var shared: SharedBodies

    /// One line of JSON.
    var text: String { "{\"log\":\(log.json),\"shared\":\(shared.text)}" }

    init(log: LogPosition, shared: SharedBodies) {
        self.log = log
        self.shared = shared
    }

    /// - Throws: what reading a shared body throws; `CoreError` for a text that is no position.
    init(text: String, store: any StoreReading) throws {
        guard let members = try? JSONValue(json: text).object, let logValue = members["log"],
            let log = try? LogPosition(json: logValue.json)
        else {
            throw CoreError(
                .damagedHistory, doing: "resuming the redo log", subject: "the committed position", reason: "it is no position",
                remedy: "Run doSmartScan after removing the position; the log is then read anew.")
        }
        self.log = log
        shared = try SharedBodies(json: members["shared"], store: store)
    }
}
