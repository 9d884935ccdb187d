import BackupCore

/// Commands of a scenario on contacts, documents, notes and chats.
extension ScenarioRun {
    func performOnItems(_ step: Scenario.Step, in mailbox: SandboxMailbox) throws -> String? {
        let words = step.words
        func id() throws -> Int64 { try item(words[1], mailbox, step) }
        switch step.command {
        case "contact":
            let folder = try step.options["folder"].map { try self.folder($0, mailbox, step) } ?? FolderID.contacts
            let id = try mailbox.createContact(
                try pairs(words.dropFirst(), step), folder: folder, tags: tags(step), attachments: try photo(step))
            return name(step, id, "created contact \(id)")
        case "modify-contact":
            try mailbox.modifyContact(try id(), try pairs(words.dropFirst(2), step), attachments: try photo(step))
            return "modified contact \(try id())"
        case "group":
            let members = try words.dropFirst(2).map { word in
                word.contains("@") && !word.hasPrefix("@") ? "I:\(word)" : "C:\(try item(word, mailbox, step))"
            }
            let id = try mailbox.createContactGroup(named: words[1], members: members)
            return name(step, id, "created contact group \(id)")
        case "document":
            let folder = try step.options["folder"].map { try self.folder($0, mailbox, step) } ?? FolderID.briefcase
            let id = try mailbox.saveDocument(
                try content(step), named: words[1], folder: folder, type: step.options["type"] ?? "text/plain",
                description: step.options["description"] ?? "")
            return name(step, id, "saved document \(id)")
        case "revise":
            try mailbox.addRevision(
                try content(step), to: try id(), type: step.options["type"], description: step.options["description"] ?? "")
            return "saved document \(try id()) again"
        case "purge-revision":
            let isDeep = ["yes", "true"].contains(step.options["older"]?.lowercased())
            try mailbox.purgeRevision(try number(words[2], step), of: try id(), includeOlder: isDeep)
            return "purged version \(words[2]) of \(try id())"
        case "shared-file":
            let owner = try server.openMailbox(words[1])
            let document = try item(words[2], owner, step)
            guard let entry = try server.findAccount(words[1]), let row = try owner.item(document), let uuid = row.uuid else {
                throw missing(step, "document \(words[2]) of \(words[1])")
            }
            let id = try mailbox.addSharedFile(
                named: row.name ?? "\(document)", of: entry, file: (document, uuid), size: row.size,
                contentType: row.map.string("ct") ?? "application/octet-stream", rights: words[3])
            return name(step, id, "noted shared document \(id)")
        case "shared-file-rights":
            try mailbox.setRights(words[2], ofSharedFile: try id())
            return "changed the rights on shared document \(try id())"
        case "remove-shared-file":
            let id = try id()
            try mailbox.removeSharedFile(id)
            return "removed shared document \(id)"
        case "rename-document":
            let id = try id()
            try mailbox.renameDocument(id, to: words[2])
            return "renamed document \(id) to \(words[2])"
        case "lock":
            try mailbox.lock(try id())
            return "locked \(try id())"
        case "unlock":
            try mailbox.unlock(try id())
            return "unlocked \(try id())"
        case "comment":
            let comment = try mailbox.comment(words[2], on: try id())
            return name(step, comment, "commented on \(try id())")
        case "note":
            let id = try mailbox.createNote(words[1], color: try step.options["color"].map { try number($0, step) } ?? 0)
            return name(step, id, "created note \(id)")
        case "edit-note":
            let id = try id()
            try mailbox.editNote(id, words[2])
            return "edited note \(id)"
        case "chat":
            let id = try mailbox.createChat(try write(step, to: words[0], mailbox))
            return name(step, id, "saved chat \(id)")
        case "update-chat":
            let id = try id()
            try mailbox.updateChat(id, try write(step, to: words[0], mailbox))
            return name(step, id, "saved chat \(id) again")
        case "date":
            let id = try id()
            try mailbox.setDate(try number(words[2], step) * 1000, of: id)
            return "dated \(id)"
        case "custom-data":
            let id = try id()
            try mailbox.setCustomData(words[2], try pairs(words.dropFirst(3), step), of: id)
            return "set \(words[2]) of \(id)"
        default: return nil
        }
    }

    private func content(_ step: Scenario.Step) throws -> [UInt8] {
        if let file = step.options["file"] { return try readFile(file) }
        return Array((step.options["text"] ?? "A document.\n").utf8)
    }

    private func photo(_ step: Scenario.Step) throws -> [ContactAttachment] {
        try step.options["photo"].map { [ContactAttachment(name: "photo", contentType: "image/png", bytes: try readFile($0))] } ?? []
    }

    func tags(_ step: Scenario.Step) -> [String] { (step.options["tags"] ?? "").split(separator: ",").map(String.init) }

    private func pairs(_ words: ArraySlice<String>, _ step: Scenario.Step) throws -> [String: String] {
        var result: [String: String] = [:]
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else { throw Scenario.error(step.line, "\"\(word)\" is no name=value") }
            result[parts[0]] = parts[1]
        }
        return result
    }
}
