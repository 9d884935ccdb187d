import BackupStore

/// Looks at the directory: the log does not tell of accounts' settings, of domains, COS, lists and servers.
extension RealTimeScanner {
    /// Entries asked for at a time.
    private static let page = 200

    /// Looks at the directory again. One that does not answer is asked again.
    func lookAtDirectory() throws {
        do {
            try recordDirectory()
            directoryIsSilent = false
        } catch let error as StoreError {
            throw error
        } catch {
            if !directoryIsSilent { note("the directory could not be read: \(error)") }
            directoryIsSilent = true
        }
    }

    /// What a look at the directory records.
    enum LookScope {
        case everything
        /// No change of accounts that are known: the log, which is behind, comes first (R14).
        case allButKnownAccounts
    }

    /// Records what is new or changed in the directory since the last look, and what it has no more.
    ///
    /// - Returns: how many accounts are gone.
    @discardableResult
    func recordDirectory(_ scope: LookScope = .everything) throws -> Int {
        guard source.hasInventory else { return 0 }
        let versions = try source.directoryVersions()
        let known = try livingEntries ?? readLivingEntries()
        livingEntries = known
        guard versions.keys.contains(where: \.isAccount) || !known.contains(where: \.isAccount) else {
            if !directoryIsEmpty {
                note(
                    "Critical: the directory names no account of this server. None is taken for deleted; "
                        + "look at the directory and the server's name")
            }
            directoryIsEmpty = true
            return 0
        }
        directoryIsEmpty = false
        // COS and domains first: they say which accounts are backed up.
        try recordChanged(versions) { !$0.isAccount }
        try reconsiderSwitches()
        try recordChanged(versions) { $0.isAccount && (scope == .everything || !known.contains($0)) }
        guard scope == .everything else { return 0 }
        var gone = 0
        try inPages(known.subtracting(versions.keys)) { gone += try recordAbsent($0) }
        return gone
    }

    private func recordChanged(_ versions: [HistoryKey: Int], where isMeant: (HistoryKey) -> Bool) throws {
        try inPages(versions.filter { isMeant($0.key) && directoryVersions[$0.key] != $0.value }.map(\.key)) { keys in
            try source.readDirectory(keys) { try record($0) }
            for key in keys { directoryVersions[key] = versions[key] }
        }
    }

    /// The entries that are alive in the backup.
    private func readLivingEntries() throws -> Set<HistoryKey> {
        var keys = try store.accounts().map { HistoryKey.accountInfo($0) }
        for kind in DirectoryKind.configuration { keys += try store.entries(of: kind).map { .directory(kind, $0) } }
        return Set(try keys.filter { try store.state(of: $0)?.isDeleted == false })
    }

    private func inPages(_ keys: some Collection<HistoryKey>, _ body: ([HistoryKey]) throws -> Void) throws {
        let keys = keys.sorted { $0.description < $1.description }
        for start in stride(from: 0, to: keys.count, by: Self.page) {
            try body(Array(keys[start..<min(start + Self.page, keys.count)]))
            if pending >= Self.groupSize { try commit() }
        }
    }

    // MARK: One entry

    private func record(_ record: DirectoryRecord) throws {
        switch record {
        case .account(let account): try self.record(account)
        case .configuration(let entry):
            let fields = entry.fields(deleted: false)
            guard try store.state(of: entry.key)?.fields != fields else { return }
            try append(entry.key, fields, name: entry.name)
        }
    }

    /// Takes in an account of the directory, when it is new or changed.
    ///
    /// One that is known is recorded when the log is read to its end: its state is of now, and the log may be hours behind (R14).
    func record(_ account: AccountEntry) throws {
        guard let fields = try fields(of: account) else { return }
        let key = HistoryKey.accountInfo(account.id)
        if try store.state(of: key)?.fields != fields {
            try append(key, fields, name: account.name)
            if let known = mailboxes.known(account: account.id) {
                mailboxes.adopt(known.life, lastChange: known.lastChange, account: account)
            }
        }
        try noteSwitch(account, isOff: fields[AccountEntry.switchMember] != nil)
    }

    private func append(_ key: HistoryKey, _ fields: JSONObject, name: String) throws {
        let generation = key.account.flatMap { mailboxes.known(account: $0)?.life.generation } ?? 1
        do {
            try append(
                StoreTransaction(
                    account: key.account, generation: generation, time: WallClock.milliseconds, kind: "scan",
                    states: [NewState(key: key, fields: fields)]))
            if fields["deleted"]?.bool == true { recordedEntries.gone += 1 } else { recordedEntries.changed += 1 }
        } catch let error as StoreError where error.code == .invalidInput {
            note("\(key) (\(name)) cannot be kept: \(error)")
        }
    }

    // MARK: Entries that are gone

    /// Records that entries are gone, of which a look at the directory did not tell. Each is asked for once more: one answer may
    /// come from a replica that is behind.
    ///
    /// - Returns: how many accounts are gone.
    private func recordAbsent(_ keys: [HistoryKey]) throws -> Int {
        var present: Set<HistoryKey> = []
        var moved: [HistoryKey: AccountEntry] = [:]
        try source.readDirectory(keys) { record in
            if case .account(let account) = record, let host = account["zimbraMailHost"], host.lowercased() != source.identity.name.lowercased() {
                moved[record.key] = account
            } else {
                present.insert(record.key)
            }
        }
        return try keys.filter { !present.contains($0) }.count { try recordGone($0, nowAt: moved[$0]) && $0.isAccount }
    }

    /// Records that an entry is gone: deleted, or an account that another server has now; false where that is known.
    ///
    /// - Parameter moved: the account as it is on the other server.
    @discardableResult
    func recordGone(_ key: HistoryKey, nowAt moved: AccountEntry? = nil) throws -> Bool {
        guard let state = try store.state(of: key), let last = DirectoryRecord(state) else { return false }
        let record = moved.map { .account($0) } ?? last
        var fields = record.fields(deleted: true)
        fields["moved_to"] = moved?["zimbraMailHost"].map { .string($0) }
        guard state.fields != fields else { return false }
        try append(key, fields, name: fields["name"]?.string ?? "")
        return true
    }

    /// Forgets what a look at the directory said of an account that was purged whole.
    func forgetDirectory(of account: String) {
        livingEntries?.remove(.accountInfo(account))
        directoryVersions[.accountInfo(account)] = nil
    }

    /// Keeps in mind which entries of the directory are alive.
    func noteLiving(_ states: [NewState]) {
        guard livingEntries != nil else { return }
        for state in states where state.key.isOfDirectory {
            if state.fields["deleted"]?.bool == true {
                livingEntries?.remove(state.key)
                directoryVersions[state.key] = nil  // It may come back.
            } else {
                livingEntries?.insert(state.key)
            }
        }
    }
}

extension HistoryKey {
    var isAccount: Bool {
        if case .accountInfo = self { true } else { false }
    }

    /// Whether it is the history of an entry of the directory.
    fileprivate var isOfDirectory: Bool {
        switch self {
        case .accountInfo: true
        case .directory(let kind, _): kind != .records
        case .item, .mailbox: false
        }
    }
}
