import BackupStore

/// When the engine leaves the log where it is: it keeps its place, and goes on by itself.
extension BackupEngine {
    /// How often the file system is asked.
    private static let spaceInterval = Duration.seconds(1)

    /// Whether the next transaction may be taken in; tells of a change once.
    func mayFollow() throws -> Bool {
        let reason = settings.followsLog ? try tooLittleSpace() : "\(BackupProperty.realTimeScanner.name) is false"
        guard reason != heldBecause else { return reason == nil }
        if let reason {
            // The numbers in it change with every look: one notice tells of the first.
            if heldBecause == nil { scanner.note("Critical: the redo log is not followed: \(reason)") }
        } else {
            scanner.note("the redo log is followed again")
        }
        heldBecause = reason
        return reason == nil
    }

    /// The same for an engine that is to catch up and end.
    func mayFollowOrRefuse() throws -> Bool {
        guard settings.followsLog else { return false }
        try refuseWithTooLittleSpace("following the redo log")
        return true
    }

    /// Asked before and during what writes much.
    func refuseWithTooLittleSpace(_ doing: String) throws {
        guard let reason = try tooLittleSpace() else { return }
        try scanner.commit()
        throw CoreError(
            .tooLittleSpace, doing: doing, subject: store.backupPath.string, reason: reason,
            remedy: "Make room; nothing of the log is lost, it is read on from where it was left")
    }

    private func tooLittleSpace() throws -> String? {
        let now = ContinuousClock.now
        if let last = lastSpaceCheck, now - last.time < Self.spaceInterval { return last.reason }
        let space = try SpaceLeft(on: store.backupPath)
        let threshold = settings.spaceThreshold
        let reason: String? =
            space.bytes >= threshold
            ? nil
            : "\(space.bytes >> 20) MB are free, less than the \(threshold >> 20) MB of \(BackupProperty.spaceThreshold.name)"
        lastSpaceCheck = (now, reason)
        return reason
    }
}
