import BackupCore

/// What happens to mail, folders and tags in a life.
extension SandboxLife {
    mutating func deliver(_ one: inout Known) throws -> String {
        let mail = text.write(to: one.account, size: messageSize)
        one.messages.append(try server.deliver(mail.bytes, to: [one.account])[0].itemID)
        remember(mail, &one)
        return "deliver \(mail.subject)"
    }

    private func remember(_ mail: MailText.Written, _ one: inout Known) {
        one.threads.append((mail.subject, mail.messageID))
        if one.threads.count > 50 { one.threads.removeFirst() }
    }

    mutating func deliverToAll(_ one: inout Known) throws -> String {
        guard known.count > 1 else { return try deliver(&one) }
        var accounts = known.map(\.account).shuffled(using: &generator)
        accounts.removeLast(accounts.count - generator.number(2...accounts.count))
        let mail = text.write(to: accounts.joined(separator: ", "), size: messageSize)
        for delivery in try server.deliver(mail.bytes, to: accounts) {
            if delivery.address == one.account {
                one.messages.append(delivery.itemID)
            } else if let place = known.firstIndex(where: { $0.account == delivery.address }) {
                known[place].messages.append(delivery.itemID)
            }
        }
        return "deliver to \(accounts.count) \(mail.subject)"
    }

    mutating func reply(_ one: inout Known) throws -> String {
        guard !one.threads.isEmpty else { return try deliver(&one) }
        let thread = generator.pick(one.threads)
        let subject = thread.subject.hasPrefix("Re: ") ? thread.subject : "Re: " + thread.subject
        let mail = text.write(
            to: one.account, subject: subject, references: generator.chance(80) ? thread.id : nil, size: messageSize)
        one.messages.append(try server.deliver(mail.bytes, to: [one.account])[0].itemID)
        remember(mail, &one)
        return "deliver \(mail.subject)"
    }

    mutating func add(_ one: inout Known) throws -> String {
        let isSent = generator.chance(50)
        let mail = text.write(from: isSent ? "<\(one.account)>" : nil, to: isSent ? text.sender() : one.account, size: messageSize)
        var flags: Flags = isSent ? .fromMe : generator.chance(50) ? .unread : []
        if generator.chance(20) { flags.insert(.flagged) }
        let names = one.tags.isEmpty || generator.chance(70) ? [] : [generator.pick(one.tags)]
        let date = generator.chance(30) ? server.options.clock() - Int64(generator.number(1...400)) * 86_400_000 : nil
        let target = isSent ? FolderID.sent : anyFolder(one)
        let id = try one.mailbox.addMessage(mail.bytes, folder: target, flags: flags, tags: names, date: date)
        one.messages.append(id)
        return "add \(id) to \(target)"
    }

    mutating func draft(_ one: inout Known) throws -> String {
        let mail = text.write(from: "<\(one.account)>", to: text.sender())
        if !one.drafts.isEmpty, generator.chance(60) {
            let id = generator.pick(one.drafts)
            try one.mailbox.updateDraft(id, mail.bytes)
            return "update draft \(id)"
        }
        one.drafts.append(try one.mailbox.saveDraft(mail.bytes))
        return "save draft \(one.drafts[one.drafts.count - 1])"
    }

    mutating func mark(_ one: inout Known) throws -> String {
        let ids = some(one)
        guard !ids.isEmpty else { return try deliver(&one) }
        let flag = generator.pick([Flags.unread, .unread, .unread, .flagged, .answered, .forwarded, .deleted, .priority])
        let add = generator.chance(flag == .unread ? 25 : 70)
        try one.mailbox.alterFlag(flag, add: add, of: ids)
        return "\(add ? "flag" : "unflag") \(ids) \(flag.letters)"
    }

    mutating func tag(_ one: inout Known) throws -> String {
        let ids = some(one)
        guard !ids.isEmpty else { return try deliver(&one) }
        if generator.chance(15) {
            let names = one.tags.shuffled(using: &generator).prefix(generator.number(0...2))
            try one.mailbox.setTags(of: ids, flags: generator.chance(50) ? [.flagged] : nil, tags: Array(names))
            return "set tags \(names) of \(ids)"
        }
        let isNew = one.tags.isEmpty || generator.chance(5)
        let name = isNew ? newName("topic") : generator.pick(one.tags)
        let add = isNew || generator.chance(75)
        try one.mailbox.alterTag(name, add: add, of: ids)
        if isNew { one.tags.append(name) }
        return "\(add ? "tag" : "untag") \(ids) \(name)"
    }

    mutating func move(_ one: inout Known) throws -> String {
        let ids = some(one)
        guard !ids.isEmpty else { return try deliver(&one) }
        let target = generator.chance(35) ? FolderID.trash : generator.chance(10) ? FolderID.junk : anyFolder(one)
        try one.mailbox.move(ids, to: target)
        return "move \(ids) to \(target)"
    }

    mutating func copy(_ one: inout Known) throws -> String {
        let ids = some(one)
        guard !ids.isEmpty else { return try deliver(&one) }
        let target = anyFolder(one)
        one.messages += try one.mailbox.copy(ids, to: target)
        return "copy \(ids) to \(target)"
    }

    mutating func delete(_ one: inout Known) throws -> String {
        if !one.drafts.isEmpty, generator.chance(15) {
            let id = one.drafts.remove(at: generator.number(0...(one.drafts.count - 1)))
            try one.mailbox.delete([id])
            return "delete draft \(id)"
        }
        let ids = some(one)
        guard !ids.isEmpty else { return try deliver(&one) }
        try one.mailbox.delete(ids)
        one.messages.removeAll { ids.contains($0) }
        return "delete \(ids)"
    }

    mutating func folder(_ one: inout Known) throws -> String {
        let choice = generator.number(0...99)
        if one.folders.isEmpty || choice < 45 {
            let parent = one.folders.isEmpty || generator.chance(50) ? FolderID.userRoot : generator.pick(one.folders)
            let id = try one.mailbox.createFolder(named: newName("folder"), in: parent)
            one.folders.append(id)
            return "create folder \(id)"
        }
        let id = generator.pick(one.folders)
        switch choice {
        case 45..<60:
            let path = "/" + newName("path") + "/" + newName("deep")
            try one.mailbox.createFolderPath(path)
            try Self.refresh(&one)
            return "create folders \(path)"
        case 60..<72:
            try one.mailbox.renameFolder(id, to: newName("renamed"))
            return "rename folder \(id)"
        case 72..<77:
            let above = try one.mailbox.path(ofFolder: generator.pick(one.folders)) ?? ""
            let path = (generator.chance(50) ? above : "") + "/" + newName("path") + "/" + newName("renamed")
            let mailbox = one.mailbox
            let done = try refusable("rename folder \(id) to \(path)") { try mailbox.renameFolder(id, toPath: path) }
            try Self.refresh(&one)
            return done
        case 77..<85:
            try one.mailbox.setColor(Int64(generator.number(0...9)), of: [id], type: .folder)
            return "colour folder \(id)"
        default:
            let target = generator.chance(25) ? FolderID.trash : generator.chance(50) ? FolderID.userRoot : generator.pick(one.folders)
            return try refusable("move folder \(id) to \(target)") { try one.mailbox.moveFolder(id, to: target) }
        }
    }

    mutating func tags(_ one: inout Known) throws -> String {
        // Users see no others.
        let listed = try one.mailbox.tags().filter(\.listed)
        if listed.count < 3 || (listed.count < 12 && generator.chance(50)) {
            let name = newName("tag")
            try one.mailbox.createTag(name: name, color: Int64(generator.number(0...9)))
            one.tags.append(name)
            return "create tag \(name)"
        }
        let tag = generator.pick(listed)
        switch generator.number(0...2) {
        case 0:
            let name = newName("tag")
            try one.mailbox.renameTag(tag.id, to: name)
            one.tags = one.tags.map { $0 == tag.name ? name : $0 }
            return "rename tag \(tag.name) to \(name)"
        case 1:
            try one.mailbox.setColor(Int64(generator.number(0...9)), of: [tag.id], type: .tag)
            return "colour tag \(tag.name)"
        default:
            try one.mailbox.deleteTag(tag.id)
            one.tags.removeAll { $0 == tag.name }
            return "delete tag \(tag.name)"
        }
    }

    mutating func conversation(_ one: inout Known) throws -> String {
        let candidates = some(one)
        var conversation: Int64?
        for id in candidates where conversation == nil { conversation = try one.mailbox.item(id)?.parentID }
        guard let conversation else { return try reply(&one) }
        switch generator.number(0...4) {
        case 0:
            try one.mailbox.alterFlag(.flagged, add: true, of: [conversation])
            return "flag conversation \(conversation)"
        case 1:
            try one.mailbox.markRead([conversation])
            return "read conversation \(conversation)"
        case 2:
            one.messages += try one.mailbox.copyConversation(conversation, to: anyFolder(one))
            return "copy conversation \(conversation)"
        case 3:
            try one.mailbox.delete([conversation])
            try Self.refresh(&one)
            return "delete conversation \(conversation)"
        default:
            let target = generator.chance(30) ? FolderID.trash : anyFolder(one)
            try one.mailbox.move([conversation], to: target)
            return "move conversation \(conversation) to \(target)"
        }
    }

    mutating func share(_ one: inout Known) throws -> String {
        if !one.grants.isEmpty, generator.chance(40) {
            let grant = one.grants.remove(at: generator.number(0...(one.grants.count - 1)))
            return try refusable("revoke \(grant.grantee) on \(grant.folder)") {
                try one.mailbox.revoke(grant.grantee, onFolder: grant.folder)
            }
        }
        guard !one.folders.isEmpty else { return try folder(&one) }
        let id = generator.pick(one.folders)
        let guest = "guest\(generator.number(1...9))@example.net"
        try one.mailbox.grant(Grant(granteeType: 7, grantee: guest, rights: 1, secret: "guest"), onFolder: id)
        one.grants.removeAll { $0.folder == id && $0.grantee == guest }
        one.grants.append((id, guest))
        return "grant \(guest) on \(id)"
    }

    mutating func clean(_ one: inout Known) throws -> String {
        defer { try? Self.refresh(&one) }  // A failing read shows at the next operation.
        if one.folders.isEmpty || generator.chance(60) {
            try one.mailbox.emptyFolder(FolderID.trash)
            return "empty Trash"
        }
        let id = generator.pick(one.folders)
        if generator.chance(40) {
            try one.mailbox.emptyFolder(id, subfolders: generator.chance(50))
            return "empty folder \(id)"
        }
        try one.mailbox.deleteFolder(id)
        return "delete folder \(id)"
    }
}
