import BackupCore

/// What happens to mailboxes and accounts as a whole in a life.
extension SandboxLife {
    mutating func setting(_ one: inout Known) throws -> String {
        let sections = try one.mailbox.sections().keys.sorted()
        switch generator.number(0...9) {
        case 0:
            try one.mailbox.trackImap()
            return "track IMAP"
        case 1:
            try one.mailbox.trackSync()
            return "track changes"
        case 2..<4 where !sections.isEmpty:
            let part = String(generator.pick(sections).prefix(generator.number(1...8)))
            try one.mailbox.deleteConfig(beginningWith: part)
            return "delete sections \(part)…"
        case 4..<6 where !sections.isEmpty:
            let section = generator.pick(sections)
            try one.mailbox.setConfig(section, generator.chance(70) ? ["key": text.subject(), "ключ": "😀 é"] : [:])
            return "set section \(section) again"
        default:
            let section = generator.pick(["zwc", "imap", "zxmobile"]) + ":" + newName("section")
            try one.mailbox.setConfig(section, ["key": text.subject()])
            return "set section \(section)"
        }
    }

    /// Only that account's own name changes: what others call it stays, and so does its mailbox.
    mutating func account(_ one: inout Known) throws -> String {
        let old = one.account
        if generator.chance(50) {
            names += 1
            one.account = "\(old.prefix { $0 != "." && $0 != "@" }).\(names)@example.com"
            try server.renameAccount(old, to: one.account)
            return "rename account to \(one.account)"
        }
        let attributes = try server.findAccount(old)?.attributes.filter { $0.key == "zimbraDumpsterEnabled" } ?? [:]
        try server.deleteAccount(old)
        _ = try server.createAccount(name: old, attributes: attributes)
        one = Known(account: old, mailbox: try server.openMailbox(old))
        return "delete account, and make another of its name"
    }
}
