import BackupCore

/// Commands of a scenario on containers, the dumpster and the mailbox.
extension ScenarioRun {
    func performOnContainers(_ step: Scenario.Step, in mailbox: SandboxMailbox) throws -> String? {
        let words = step.words
        switch step.command {
        case "imap-copy":
            let ids = try items(words.dropFirst(2), mailbox, step)
            return "copied \(ids) to \(try mailbox.imapCopy(ids, to: try folder(words[1], mailbox, step)))"
        case "copy-conversation":
            let id = try item(words[2], mailbox, step)
            guard let conversation = try mailbox.item(id)?.parentID else { throw missing(step, "conversation of item \(id)") }
            return "copied \(conversation) to \(try mailbox.copyConversation(conversation, to: try folder(words[1], mailbox, step)))"
        case "color-tag":
            try mailbox.setColor(try number(words[2], step), of: [try tag(words[1], mailbox, step)], type: .tag)
            return "coloured tag \(words[1])"
        case "search-folder":
            let id = try mailbox.createSearch(
                named: words[1], query: words[2], types: step.options["types"] ?? "message", sort: step.options["sort"] ?? "dateDesc")
            return "search folder \(words[1]) is \(id)"
        case "modify-search":
            try mailbox.modifySearch(
                try folder(words[1], mailbox, step), query: words[2], types: step.options["types"] ?? "message",
                sort: step.options["sort"] ?? "dateDesc")
            return "changed search folder \(words[1])"
        case "mount":
            let owner = try server.openMailbox(words[2])
            let id = try mailbox.createMountpoint(
                NewMountpoint(name: words[1], ownerID: owner.accountID, remoteID: try folder(words[3], owner, step)))
            return "mountpoint \(words[1]) is \(id)"
        case "url":
            try mailbox.setURL(words.count > 2 ? words[2] : "", ofFolder: try folder(words[1], mailbox, step))
            return "set the feed of \(words[1])"
        case "retention":
            try mailbox.setRetention(keep: [], purge: [words[2]], of: try folder(words[1], mailbox, step))
            return "items of \(words[1]) live \(words[2])"
        case "recover":
            let ids = try items(words.dropFirst(2), mailbox, step)
            return "recovered \(ids) as \(try mailbox.recover(ids, to: try folder(words[1], mailbox, step)))"
        case "delete-from-dumpster":
            let ids = try items(words.dropFirst(), mailbox, step)
            try mailbox.deleteFromDumpster(ids)
            return "deleted \(ids) from the dumpster"
        case "purge": return "purged \(try mailbox.purgeOldMessages()) items"
        case "expunge": return "expunged \(try mailbox.purgeImapDeleted()) items"
        case "track-imap":
            try mailbox.trackImap()
            return "tracks IMAP"
        default: return nil
        }
    }
}
