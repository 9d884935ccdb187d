import BackupStore

/// The mailboxes that the scanner knows: by account, and by the number that the log names them with.
struct KnownMailboxes {
    struct Known {
        var life: MailboxLife
        /// The highest change number applied in this life.
        var lastChange: Int64
        var hasDumpster: Bool
        /// nil = not known.
        var retention: Retention?
        /// Whether the account is not backed up.
        var isSwitchedOff = false

        init(life: MailboxLife, lastChange: Int64, account: AccountEntry?) {
            self.life = life
            self.lastChange = lastChange
            hasDumpster = account?["zimbraDumpsterEnabled"] == "TRUE"
            retention = account.flatMap(Retention.init(of:))
        }
    }

    private var byAccount: [String: Known] = [:]
    private var accountOfMailbox: [Int64: String] = [:]

    init(store: any StoreReading) throws {
        for account in try store.accounts() {
            guard let state = try store.state(of: .mailbox(account)),
                let life = MailboxLife(accountID: account, fields: state.fields)
            else { continue }
            let latest = try store.accountInfo(account)
            let info = latest.flatMap { AccountEntry(id: account, fields: $0.fields) }
            let last = try store.cut(account, change: .max)?.last
            let lastChange = last?.generation == life.generation ? last?.change ?? 0 : 0
            byAccount[account] = Known(life: life, lastChange: max(lastChange, life.scannedChange ?? 0), account: info)
            byAccount[account]?.isSwitchedOff = latest?.isSwitchedOff ?? false
            if !life.ended { accountOfMailbox[life.mailboxID] = account }
        }
    }

    var all: [Known] { Array(byAccount.values) }

    func known(account: String) -> Known? { byAccount[account] }

    /// The life that a mailbox number stands for now.
    func known(mailbox: Int64) -> Known? {
        accountOfMailbox[mailbox].flatMap { byAccount[$0] }
    }

    /// Forgets an account that was purged whole.
    mutating func forget(account: String) {
        guard let known = byAccount.removeValue(forKey: account) else { return }
        if accountOfMailbox[known.life.mailboxID] == account { accountOfMailbox[known.life.mailboxID] = nil }
    }

    /// Takes over whether an account is backed up.
    mutating func setSwitch(account: String, isOff: Bool) { byAccount[account]?.isSwitchedOff = isOff }

    /// Takes a life over; `account` is its directory entry where that was read anew.
    mutating func adopt(_ life: MailboxLife, lastChange: Int64, account: AccountEntry? = nil) {
        let before = byAccount[life.accountID]
        if let before, before.life.mailboxID != life.mailboxID, accountOfMailbox[before.life.mailboxID] == life.accountID {
            accountOfMailbox[before.life.mailboxID] = nil
        }
        var known = Known(life: life, lastChange: lastChange, account: account)
        if account == nil, let before { (known.hasDumpster, known.retention) = (before.hasDumpster, before.retention) }
        known.isSwitchedOff = before?.isSwitchedOff ?? false
        byAccount[life.accountID] = known
        if life.ended {
            accountOfMailbox[life.mailboxID] = nil
        } else {
            accountOfMailbox[life.mailboxID] = life.accountID
        }
    }
}
