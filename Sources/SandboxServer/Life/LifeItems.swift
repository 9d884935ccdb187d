import BackupCore

/// What happens to items that are no mail in a life.
extension SandboxLife {
    mutating func contact(_ one: inout Known) throws -> String {
        let choice = generator.number(0...99)
        if one.contacts.isEmpty || choice < 35 {
            if one.contacts.count > 1, generator.chance(25) {
                let members = one.contacts.shuffled(using: &generator).prefix(2).map { "C:\($0)" } + ["I:\(text.address())"]
                let id = try one.mailbox.createContactGroup(named: newName("group"), members: members)
                one.contacts.append(id)
                return "create contact group \(id)"
            }
            let tags = one.tags.isEmpty || generator.chance(70) ? [] : [generator.pick(one.tags)]
            let id = try one.mailbox.createContact(fields(), folder: contactsFolder(one), tags: tags, attachments: attachments())
            one.contacts.append(id)
            return "create contact \(id)"
        }
        let id = generator.pick(one.contacts)
        guard choice < 70 else { return try arrange(id, .contact, &one) }
        try one.mailbox.modifyContact(id, fields(), attachments: attachments())
        return "modify contact \(id)"
    }

    private mutating func fields() -> [String: String] {
        let names = text.sender().split(separator: " ").map(String.init)
        var fields = ["firstName": names[0], "email": text.address()]
        if generator.chance(80) { fields["lastName"] = names[1] }
        if generator.chance(40) { fields["company"] = newName("company") }
        if generator.chance(20) { fields["fileAs"] = "8:" + newName("file as") }
        return fields
    }

    private mutating func attachments() -> [ContactAttachment] {
        guard generator.chance(25) else { return [] }
        let bytes = (0..<generator.number(10...400)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        return [ContactAttachment(name: "photo.png", contentType: "image/png", bytes: bytes)]
    }

    private mutating func contactsFolder(_ one: Known) -> Int64 {
        one.folders.isEmpty || generator.chance(75) ? FolderID.contacts : generator.pick(one.folders)
    }

    mutating func document(_ one: inout Known) throws -> String {
        let choice = generator.number(0...99)
        if choice < 4, let other = known.first(where: { $0.account != one.account }), let file = other.documents.first {
            let id = try one.mailbox.createLink(named: newName("link"), ownerID: other.mailbox.accountID, remoteID: file)
            one.links.append(id)
            return "create link \(id)"
        }
        if choice > 97, !one.links.isEmpty { return try arrange(generator.pick(one.links), .link, &one) }
        if one.documents.isEmpty || choice < 25 {
            let folder = one.folders.isEmpty || generator.chance(70) ? FolderID.briefcase : generator.pick(one.folders)
            let id = try one.mailbox.saveDocument(
                Array(text.subject().utf8), named: newName("file") + ".txt", folder: folder,
                type: generator.pick(["text/plain", "application/pdf"]), description: generator.chance(50) ? text.subject() : "")
            one.documents.append(id)
            return "save document \(id)"
        }
        let id = generator.pick(one.documents)
        switch choice {
        case 25..<50:
            try one.mailbox.addRevision(Array(text.subject().utf8), to: id, description: text.subject())
            return "add revision to \(id)"
        case 50..<60:
            let versions = try one.mailbox.revisions(of: id).map(\.version)
            guard !versions.isEmpty else { return try arrange(id, .document, &one) }
            let version = generator.pick(versions)
            let isDeep = generator.chance(50)
            try one.mailbox.purgeRevision(version, of: id, includeOlder: isDeep)
            return "purge revision \(version) of \(id)\(isDeep ? " and older" : "")"
        case 60..<68:
            try one.mailbox.comment(text.subject(), on: id)
            return "comment on \(id)"
        case 68..<74:
            try one.mailbox.lock(id)
            return "lock \(id)"
        case 74..<78:
            try one.mailbox.unlock(id)
            return "unlock \(id)"
        case 78..<84:
            try one.mailbox.renameDocument(id, to: newName("file") + ".txt")
            return "rename document \(id)"
        default: return try arrange(id, .document, &one)
        }
    }

    mutating func calendar(_ one: inout Known) throws -> String {
        let choice = generator.number(0...99)
        if choice < 10 { return try invite(&one) }
        if one.appointments.isEmpty || choice < 35 {
            let new = appointment(uid: newName("uid"))
            let tags = one.tags.isEmpty || generator.chance(70) ? [] : [generator.pick(one.tags)]
            let isAdded = generator.chance(25)
            let id = try isAdded ? one.mailbox.addInvitation(new) : one.mailbox.setAppointment(new, tags: tags)
            one.appointments.append(id)
            return "\(isAdded ? "add" : "set") \(new.isTask ? "task" : "appointment") \(id)"
        }
        let id = generator.pick(one.appointments)
        guard let row = try one.mailbox.item(id), let metadata = try? MetadataDictionary(parsing: row.metadata),
            let uid = metadata.string("u")
        else { return try arrange(id, .appointment, &one) }
        let hasAlarm = metadata["ad"] != nil
        switch choice {
        case 35..<60:
            var new = appointment(uid: uid)
            new.isTask = row.type == .task
            try one.mailbox.setAppointment(new, flags: generator.chance(20) ? [.flagged] : [], tags: row.tags)
            return "set \(id) again"
        case 60..<68:
            try one.mailbox.replyArrived(uid: uid, from: text.address(), status: generator.pick(["AC", "TE", "DE"]))
            return "reply to \(id)"
        case 68..<72 where metadata.dictionary("inv0")?.string("ptst") != "TE":
            try one.mailbox.answer("TE", appointment: id)
            return "answer \(id)"
        case 72..<78 where hasAlarm:
            try one.mailbox.dismissAlarm(of: id)
            return "dismiss alarm of \(id)"
        case 78..<82 where hasAlarm:
            try one.mailbox.snoozeAlarm(of: id, until: server.options.clock() + 600_000)
            return "snooze alarm of \(id)"
        case 82..<86:
            let isFixed = try generator.chance(50) ? one.mailbox.fixEndTime(of: id) : one.mailbox.fixPriority(of: id)
            return "fix \(id)\(isFixed ? "" : " (in order)")"
        case 86..<89:
            let isFixed = try one.mailbox.fixTimeZones(["Old/Zone": "Europe/Berlin"], of: id)
            return "fix time zone of \(id)\(isFixed ? "" : " (in order)")"
        default: return try arrange(id, row.type, &one)
        }
    }

    /// An invitation comes by mail: a new one, a new version of one, or one that is taken back.
    private mutating func invite(_ one: inout Known) throws -> String {
        let known = try one.appointments.isEmpty ? nil : one.mailbox.item(generator.pick(one.appointments))
        let isKnown = generator.chance(50)
        var new = appointment(uid: known.flatMap { isKnown ? $0.map.string("u") : nil } ?? newName("uid"))
        new.isTask = new.isTask && !isKnown
        new.attendees = [one.account]
        let isOff = generator.chance(25)
        let bytes = new.invitation(from: text.address(), cancelling: isOff)
        one.messages.append(try server.deliver(bytes, to: [one.account])[0].itemID)
        try Self.refresh(&one)
        return "deliver \(isOff ? "cancellation" : "invitation") \(new.uid)"
    }

    private mutating func appointment(uid: String) -> NewAppointment {
        let start = server.options.clock() / 1000 * 1000 + Int64(generator.number(1...200)) * 3_600_000
        var new = NewAppointment(uid: uid, summary: text.subject(), start: start, duration: Int64(generator.number(1...8)) * 900)
        if generator.chance(30) { new.location = newName("room") }
        if generator.chance(40) { new.attendees = [text.address(), text.address()] }
        if generator.chance(40) { new.alarm = Int64(generator.number(1...6)) * 5 }
        if generator.chance(15) { new.isTask = true }
        if generator.chance(30) { new.priority = generator.pick([0, 1, 5]) }
        if generator.chance(30) { new.zone = "Old/Zone" }
        guard generator.chance(30) else { return new }
        new.days = generator.number(2...10)
        let day = new.start + Int64(generator.number(0...(new.days - 1))) * CalendarText.day
        if generator.chance(60) {
            new.exceptions = [
                .init(instance: day, start: generator.chance(60) ? day + 1_800_000 : nil, summary: text.subject())
            ]
        }
        return new
    }

    mutating func noteOrChat(_ one: inout Known) throws -> String {
        if generator.chance(50) {
            let choice = generator.number(0...99)
            if one.chats.isEmpty || choice < 40 {
                let id = try one.mailbox.createChat(text.write(from: "<\(one.account)>", to: text.sender()).bytes)
                one.chats.append(id)
                return "create chat \(id)"
            }
            let id = generator.pick(one.chats)
            guard choice < 70 else { return try arrange(id, .chat, &one) }
            try one.mailbox.updateChat(id, text.write(from: "<\(one.account)>", to: text.sender()).bytes)
            return "update chat \(id)"
        }
        let choice = generator.number(0...99)
        if one.notes.isEmpty || choice < 40 {
            let id = try one.mailbox.createNote(text.subject(), color: Int64(generator.number(0...9)))
            one.notes.append(id)
            return "create note \(id)"
        }
        let id = generator.pick(one.notes)
        switch choice {
        case 40..<65:
            try one.mailbox.editNote(id, text.subject())
            return "edit note \(id)"
        case 65..<80:
            try one.mailbox.repositionNote(id, (Int32(generator.number(0...9)), 5, 60, 70))
            return "move note \(id) on the desktop"
        default: return try arrange(id, .note, &one)
        }
    }

    /// What can be done to an item of any type: moved, tagged, flagged, coloured, dated, copied, deleted.
    mutating func arrange(_ id: Int64, _ type: ItemType, _ one: inout Known) throws -> String {
        let target = generator.chance(20) ? FolderID.trash : anyFolder(one)
        switch generator.number(0...99) {
        case 0..<25:
            let mailbox = one.mailbox
            return try refusable("move \(type.name) \(id) to \(target)") { try mailbox.move([id], to: target) }
        case 25..<45:
            let name = one.tags.isEmpty ? newName("topic") : generator.pick(one.tags)
            let add = generator.chance(75)
            try one.mailbox.alterTag(name, add: add, of: [id])
            if !one.tags.contains(name), add { one.tags.append(name) }
            return "\(add ? "tag" : "untag") \(type.name) \(id) \(name)"
        case 45..<60:
            let add = generator.chance(70)
            try one.mailbox.alterFlag(.flagged, add: add, of: [id])
            return "\(add ? "flag" : "unflag") \(type.name) \(id)"
        case 60..<70:
            try one.mailbox.setColor(Int64(generator.number(0...9)), of: [id], type: type)
            return "colour \(type.name) \(id)"
        case 70..<75:
            try one.mailbox.setCustomData(newName("section"), ["key": text.subject()], of: id)
            return "set custom data of \(id)"
        case 75..<85 where type == .contact || type == .document || type == .chat:
            let mailbox = one.mailbox
            let done = try refusable("copy \(type.name) \(id) to \(target)") { try mailbox.copy([id], to: target) }
            try Self.refresh(&one)
            return done
        default:
            try one.mailbox.delete([id])
            try Self.refresh(&one)
            return "delete \(type.name) \(id)"
        }
    }
}
