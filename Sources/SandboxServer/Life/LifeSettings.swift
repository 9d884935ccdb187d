import BackupCore

/// What happens to containers, settings and the dumpster in a life.
extension SandboxLife {
    mutating func container(_ one: inout Known) throws -> String {
        let choice = generator.number(0...99)
        if choice < 25 {
            let id = try one.mailbox.createSearch(
                named: newName("search"), query: "subject:\"\(text.subject())\"", types: generator.pick(["message", "message,contact"]),
                color: Int64(generator.number(0...9)))
            one.searches.append(id)
            return "create search folder \(id)"
        }
        if choice < 40, let other = known.first(where: { $0.account != one.account }) {
            let id = try one.mailbox.createMountpoint(
                NewMountpoint(
                    name: newName("mount"), ownerID: other.mailbox.accountID,
                    remoteID: generator.pick([FolderID.inbox, FolderID.calendar]), reminds: generator.chance(50)))
            one.mountpoints.append(id)
            return "mount \(id)"
        }
        if choice < 55, !one.searches.isEmpty {
            let id = generator.pick(one.searches)
            try one.mailbox.modifySearch(id, query: "in:\"\(text.subject())\"", sort: generator.pick(["dateDesc", "nameAsc"]))
            return "modify search folder \(id)"
        }
        if choice < 70, !one.mountpoints.isEmpty {
            let id = generator.pick(one.mountpoints)
            let reminds = generator.chance(50)
            try one.mailbox.enableReminders(reminds, ofMountpoint: id)
            return "reminders of mountpoint \(id) \(reminds)"
        }
        let containers = one.searches + one.mountpoints
        guard !containers.isEmpty else { return try folder(&one) }
        let id = generator.pick(containers)
        if choice < 82 {
            try one.mailbox.renameFolder(id, to: newName("renamed"))
            return "rename container \(id)"
        }
        if choice < 90, !one.mountpoints.isEmpty {
            let mount = generator.pick(one.mountpoints)
            try one.mailbox.refreshMountpoint(
                mount, ownerID: known[0].mailbox.accountID, remoteID: generator.pick([FolderID.inbox, FolderID.sent]))
            return "refresh mountpoint \(mount)"
        }
        try one.mailbox.deleteFolder(id)
        try Self.refresh(&one)
        return "delete container \(id)"
    }

    mutating func attribute(_ one: inout Known) throws -> String {
        let ids = some(one)
        guard let id = ids.first else { return try deliver(&one) }
        let folder = one.folders.isEmpty ? FolderID.inbox : generator.pick(one.folders)
        switch generator.number(0...14) {
        case 0:
            try one.mailbox.setDate(server.options.clock() - Int64(generator.number(1...90)) * CalendarText.day, of: id)
            return "date \(id)"
        case 1:
            try one.mailbox.setCustomData(generator.pick(["a", "b"]), generator.chance(70) ? ["key": text.subject()] : [:], of: id)
            return "set custom data of \(id)"
        case 2:
            try one.mailbox.setPop3UID(newName("pop"), of: id)
            return "set POP3 id of \(id)"
        case 3:
            try one.mailbox.renumber(ids)
            return "renumber \(ids)"
        case 4:
            try one.mailbox.setURL(generator.chance(70) ? "https://example.org/\(generator.number(1...9))" : "", ofFolder: folder)
            return "set URL of folder \(folder)"
        case 5 where folder > 255:
            try one.mailbox.setDefaultView(generator.pick([.message, .contact, .document]), ofFolder: folder)
            return "set view of folder \(folder)"
        case 6:
            try one.mailbox.setOfflineDays(generator.number(1...30), ofFolder: folder)
            return "set offline days of folder \(folder)"
        case 7:
            try one.mailbox.disableActiveSync(generator.chance(50), ofFolder: folder)
            return "set ActiveSync of folder \(folder)"
        case 8:
            try one.mailbox.setSubscription(date: server.options.clock(), guid: newName("guid"), ofFolder: folder)
            return "note feed of folder \(folder)"
        case 9:
            let purge = generator.chance(60) ? [generator.pick(["2d", "90d", "36500d"])] : []
            try one.mailbox.setRetention(keep: generator.chance(50) ? ["30d"] : [], purge: purge, of: folder)
            return "set retention of folder \(folder)"
        case 10:
            try one.mailbox.setFolderFlag(generator.pick([.subscribed, .sync, .checked]), on: generator.chance(60), folder: folder)
            return "set flag of folder \(folder)"
        case 11:
            let copies = try one.mailbox.imapCopy([id], to: anyFolder(one))
            one.messages += copies
            return "IMAP copy \(id)"
        case 12:
            let count = try one.mailbox.purgeImapDeleted()
            try Self.refresh(&one)
            return "expunge \(count)"
        case 13:
            let count = try one.mailbox.purgeOldMessages()
            try Self.refresh(&one)
            return "purge \(count)"
        default:
            let grants = (0..<generator.number(0...2)).map {
                Grant(granteeType: 7, grantee: "guest\($0)@example.net", rights: 1, secret: "guest")
            }
            try one.mailbox.setPermissions(grants, onFolder: folder)
            one.grants.removeAll { $0.folder == folder }
            one.grants += grants.map { (folder, $0.grantee ?? "") }
            return "set grants of folder \(folder)"
        }
    }

    mutating func dumpster(_ one: inout Known) throws -> String {
        let rows = try one.mailbox.dumpster().filter { $0.type != .comment }
        guard !rows.isEmpty else { return try delete(&one) }
        let ids = Array(Set((0..<generator.number(1...3)).map { _ in generator.pick(rows).id })).sorted()
        if generator.chance(25) {
            try one.mailbox.deleteFromDumpster(ids)
            return "delete from dumpster \(ids)"
        }
        let target = anyFolder(one)
        let mailbox = one.mailbox
        let done = try refusable("recover \(ids) to \(target)") { try mailbox.recover(ids, to: target) }
        try Self.refresh(&one)
        return done
    }
}
