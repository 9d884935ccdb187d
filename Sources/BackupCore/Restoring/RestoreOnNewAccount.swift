import BackupStore
import SystemPackage

/// Brings a mailbox and its account's settings back as they were at a moment, into an account that is made for it.
///
/// Interrupted and run again with the same parameters, it continues with the same state of the mailbox and restores nothing
/// twice. An account that somebody else made is refused.
public struct RestoreOnNewAccount: Sendable {
    /// Name or id of the account in the backup; deleted accounts too.
    public var source: String
    /// Address of the account to be made.
    public var destination: String
    /// Which moment of the mailbox is brought back.
    public var moment: RestoreMoment
    /// Whether the new account is hidden from the address list.
    public var hidesInGAL = false
    /// Whether data sources come along: switched off, since they would fetch again what they had fetched.
    public var restoresDataSources = true

    /// A restore of one mailbox; nothing happens before `run`.
    public init(source: String, destination: String, moment: RestoreMoment) {
        self.source = source
        self.destination = destination
        self.moment = moment
    }

    /// Runs the restore.
    ///
    /// - Parameters:
    ///   - store: the backup path; a reader will do.
    ///   - target: the server.
    ///   - stateFolder: where id maps and what was begun are kept.
    ///   - stop: asked between items; the report then says `isStopped`.
    ///   - progress: called now and then with the figures so far.
    /// - Throws: `CoreError`, before anything is written, for what cannot be restored at all. What happens to single items is
    ///   in the report.
    public func run(
        from store: any StoreReading, to target: any MailTarget, stateFolder: FilePath, stop: @escaping () -> Bool = { false },
        progress: @escaping (RestoreReport) -> Void = { _ in }
    ) throws -> RestoreReport {
        let info = try store.info()
        let account = try BackedUpAccount.find(source, in: store)
        let records = try RestoreRecords(folder: stateFolder)
        let known = try records.find(server: target.identity.id, destination: destination)
        let existing = try target.findAccount(destination)
        let wanted = RestoreRecords.Record(
            server: target.identity.id, destination: destination, store: info.storeID, source: account.entry.id,
            moment: moment.description, sequence: 0, account: nil, isFinished: false)
        if let existing { try refuse(existing, known, wanted) }

        var selection = try Selection(
            account: account.entry.id, at: moment, from: existing == nil ? nil : known?.sequence, in: store)
        selection.warnings += account.warnings
        var record = wanted
        record.sequence = selection.cut.sequence
        record.account = existing?.id
        try records.keep(record)

        let entry = try existing ?? target.createAccount(name: destination, attributes: overriding)
        record.account = entry.id
        try records.keep(record)

        let mailbox = try target.openMailbox(accountID: entry.id)
        let map = try IDMap(
            folder: stateFolder, account: entry.id, mailbox: mailbox.mailboxID,
            origin: "\(info.storeID)/\(account.entry.id)/\(selection.generation ?? 0)")
        var report = RestoreReport(source: account.entry, destination: entry, selection: selection)
        report.isContinued = existing != nil
        let execution = RestoreExecution(
            store: store, mailbox: mailbox, map: map, spool: stateFolder, report: report, stop: stop, progress: progress)
        do {
            try execution.run()
            if !execution.report.isStopped {
                try execution.reportingStop {
                    let isSameServer = info.serverID == target.identity.id
                    try restoreSettings(of: account, to: entry.id, on: target, isSameServer: isSameServer, execution)
                }
            }
        } catch {
            try? map.close()  // What made the restore end is the error to be told; the intents are durable already.
            throw error
        }
        try map.close()
        record.isFinished = execution.report.isComplete
        try records.keep(record)
        return execution.report
    }

    /// Refuses an account that is there, unless an interrupted restore with the same parameters made it.
    private func refuse(_ existing: AccountEntry, _ known: RestoreRecords.Record?, _ wanted: RestoreRecords.Record) throws {
        func refusal(_ reason: String, _ remedy: String) -> CoreError {
            CoreError(
                .alreadyExists, doing: "restoring on a new account", subject: destination, reason: reason, remedy: remedy)
        }
        guard let known, known.account == nil || known.account == existing.id else {
            throw refusal("the destination account exists already", "Choose another name, or delete that account first")
        }
        guard !known.isFinished else {
            throw refusal("the destination account exists already: an earlier restore made it and was completed", "Choose another name, or delete that account first")
        }
        guard known.store == wanted.store, known.source == wanted.source, known.moment == wanted.moment else {
            throw refusal(
                "the destination account was made by another restore, which was interrupted (account \(known.source), \(known.moment))",
                "Run that one again to complete it, or delete the account first")
        }
    }

    private var overriding: [String: [String]] { hidesInGAL ? ["zimbraHideInGal": ["TRUE"]] : [:] }

    /// The account's settings as of the moment, when everything that they refer to is there.
    private func restoreSettings(
        of account: BackedUpAccount, to destination: String, on target: any MailTarget, isSameServer: Bool,
        _ execution: RestoreExecution
    ) throws {
        var source = AccountEntry(id: account.entry.id, name: account.entry.name)
        let moment = execution.report.selection.cut.sequence
        switch try account.state(at: moment, in: execution.store) {
        case .state(let line):
            source = AccountEntry(id: source.id, fields: line.fields) ?? source
            if line.sequence > moment {
                execution.report.warn(
                    "The account's settings are those of \(TimeText.local(line.time)): none are known from before.")
            }
        case .none: break
        case .damaged(let reason): execution.report.refuse("all settings", "their history is damaged at the moment: \(reason)")
        }
        let translation = SettingsTranslation(
            source: source, destination: destination, isSameServer: isSameServer, item: execution.target,
            hasAccount: { try target.findAccount($0) != nil })
        let settings = SettingsRestoring(
            target: target, destination: destination, includesDataSources: restoresDataSources, overriding: overriding)
        try settings.run(translation, into: &execution.report)
        for section in try sections(of: account.entry.id, at: moment, in: execution.store) {
            execution.report.miss("mailbox section \(section)", "what a program keeps of a mailbox holds for that mailbox only")
        }
    }

    /// Names of the sections of the mailbox's own settings, as of a moment.
    private func sections(of account: String, at moment: UInt64, in store: any StoreReading) throws -> [String] {
        let line = try store.history(of: .mailbox(account)).state(at: moment)
        return line.flatMap { MailboxLife(accountID: account, fields: $0.fields) }?.sections.keys.sorted() ?? []
    }
}
