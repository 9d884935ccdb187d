import BackupCore
import Glibc

/// Runs a scenario on a server.
public final class ScenarioRun {
    /// What a line did.
    public struct Done: Sendable {
        /// The line's number, from 1.
        public var line: Int
        /// Milliseconds since the epoch, when the line was done.
        public var time: Int64
        /// In words.
        public var description: String
    }

    let server: SandboxServer
    private var text: MailText
    let readFile: (String) throws -> [UInt8]
    /// Times noted by `mark`, milliseconds since the epoch.
    public private(set) var marks: [String: Int64] = [:]
    /// Appointments set so far, by account and UID: an exception sets the whole series again.
    var appointments: [String: NewAppointment] = [:]
    /// Items named by `as`: (account, id).
    public private(set) var names: [String: (account: String, id: Int64)] = [:]

    /// - Parameters:
    ///   - seed: of the texts that the scenario leaves to chance.
    ///   - readFile: reads the file of an option `file`.
    public init(on server: SandboxServer, seed: UInt64 = 1, readFile: ((String) throws -> [UInt8])? = nil) {
        self.server = server
        text = MailText(seed: seed)
        self.readFile = readFile ?? { try Files.read(.init($0)) }
    }

    /// Runs all steps; `each` is called after each one.
    ///
    /// - Throws: `SandboxError` with the code `scenario`, naming the line, with what went wrong as its cause.
    public func run(_ scenario: Scenario, each: (Done) throws -> Void = { _ in }) throws {
        for step in scenario.steps {
            let description: String
            do {
                description = try perform(step)
            } catch let error as SandboxError where error.code == .scenario {
                throw error
            } catch {
                throw SandboxError(.scenario, doing: "line \(step.line)", reason: "\(step.command) failed", cause: error)
            }
            try each(Done(line: step.line, time: server.options.clock(), description: description))
        }
    }

    private func perform(_ step: Scenario.Step) throws -> String {
        switch step.command {
        case "domain": return "created domain \(try server.createDomain(step.words[0], attributes: attributes(step)))"
        case "cos": return "created class of service \(try server.createCOS(step.words[0], attributes: attributes(step)))"
        case "account":
            let entry = try server.createAccount(name: step.words[0], attributes: attributes(step))
            let mailbox = try server.openMailbox(entry.id)
            return "created \(entry.name), account \(entry.id), mailbox \(mailbox.mailboxID)"
        case "set":
            guard let entry = try server.findAccount(step.words[0]) else { throw missing(step, "account \(step.words[0])") }
            try server.modifyAccount(entry.id, attributes: attributes(step))
            return "changed \(entry.name)"
        case "identity": return try set(.identity, step)
        case "signature": return try set(.signature, step)
        case "data-source": return try set(.dataSource, step)
        case "delete-identity": return try delete(.identity, step)
        case "delete-signature": return try delete(.signature, step)
        case "delete-data-source": return try delete(.dataSource, step)
        case "rename-account":
            try server.renameAccount(step.words[0], to: step.words[1])
            return "renamed \(step.words[0]) to \(step.words[1])"
        case "delete-account":
            try server.deleteAccount(step.words[0])
            return "deleted \(step.words[0])"
        case "delete-mailbox":
            try server.deleteMailbox(ofAccount: step.words[0])
            return "deleted the mailbox of \(step.words[0])"
        case "deliver": return try deliver(step)
        case "life": return try live(step)
        case "wait": return try wait(step)
        case "mark":
            marks[step.words[0]] = server.options.clock()
            return "\(step.words[0]) is \(marks[step.words[0]] ?? 0)"
        case "volume", "current-volume", "rename-volume", "delete-volume": return try changeVolume(step)
        case "rollover":
            try server.rollOver()
            return "rolled the redo log over"
        case "stop":
            try server.close()
            return "stopped"
        default: return try perform(step, in: try server.openMailbox(step.words[0]))
        }
    }

    private func perform(_ step: Scenario.Step, in mailbox: SandboxMailbox) throws -> String {
        let words = step.words
        switch step.command {
        case "add":
            let mail = try write(step, to: words[0], mailbox)
            let id = try mailbox.addMessage(
                mail, folder: try step.options["folder"].map { try folder($0, mailbox, step) } ?? 2,
                flags: Flags(letters: step.options["flags"] ?? ""),
                tags: (step.options["tags"] ?? "").split(separator: ",").map(String.init),
                date: try step.options["date"].map { try number($0, step) * 1000 })
            return name(step, id, "added message \(id)")
        case "draft":
            let id = try mailbox.saveDraft(try write(step, to: "someone@example.org", mailbox))
            return name(step, id, "saved draft \(id)")
        case "update-draft":
            let id = try item(words[1], mailbox, step)
            try mailbox.updateDraft(id, try write(step, to: "someone@example.org", mailbox))
            return name(step, id, "saved draft \(id) again")
        case "folder": return "folder \(words[1]) is \(try mailbox.createFolderPath(words[1]))"
        case "rename-folder":
            try mailbox.renameFolder(try folder(words[1], mailbox, step), to: words[2])
            return "renamed \(words[1]) to \(words[2])"
        case "move-folder":
            try mailbox.moveFolder(try folder(words[1], mailbox, step), to: try folder(words[2], mailbox, step))
            return "moved \(words[1]) into \(words[2])"
        case "empty-folder":
            let isDeep = step.options["subfolders"].map { ["yes", "true"].contains($0.lowercased()) } ?? true
            try mailbox.emptyFolder(try folder(words[1], mailbox, step), subfolders: isDeep)
            return "emptied \(words[1])"
        case "delete-folder":
            try mailbox.deleteFolder(try folder(words[1], mailbox, step))
            return "deleted \(words[1])"
        case "move":
            let ids = try items(words.dropFirst(2), mailbox, step)
            try mailbox.move(ids, to: try folder(words[1], mailbox, step))
            return "moved \(ids) to \(words[1])"
        case "copy":
            let ids = try items(words.dropFirst(2), mailbox, step)
            return "copied \(ids) to \(try mailbox.copy(ids, to: try folder(words[1], mailbox, step)))"
        case "delete":
            let ids = try items(words.dropFirst(), mailbox, step)
            try mailbox.delete(ids)
            return "deleted \(ids)"
        case "read", "unread":
            let ids = try items(words.dropFirst(), mailbox, step)
            try mailbox.markRead(ids, read: step.command == "read")
            return "marked \(ids) \(step.command)"
        case "flag", "unflag":
            let ids = try items(words.dropFirst(2), mailbox, step)
            let flag = Flags(letters: words[1])
            guard words[1].count == 1, flag != [] else { throw Scenario.error(step.line, "\"\(words[1])\" is no flag's letter") }
            try mailbox.alterFlag(flag, add: step.command == "flag", of: ids)
            return "\(step.command)ged \(ids)"
        case "tag", "untag":
            let ids = try items(words.dropFirst(2), mailbox, step)
            try mailbox.alterTag(words[1], add: step.command == "tag", of: ids)
            return "\(step.command)ged \(ids)"
        case "create-tag":
            return "tag \(words[1]) is \(try mailbox.createTag(name: words[1], color: try step.options["color"].map { try number($0, step) }))"
        case "rename-tag":
            try mailbox.renameTag(try tag(words[1], mailbox, step), to: words[2])
            return "renamed tag \(words[1]) to \(words[2])"
        case "delete-tag":
            try mailbox.deleteTag(try tag(words[1], mailbox, step))
            return "deleted tag \(words[1])"
        case "color":
            try mailbox.setColor(try number(words[2], step), of: [try folder(words[1], mailbox, step)], type: .folder)
            return "coloured \(words[1])"
        case "grant":
            try mailbox.grant(try grant(words[2], words[3], step), onFolder: try folder(words[1], mailbox, step))
            return "shared \(words[1]) with \(words[2])"
        case "revoke":
            let entry = try server.findAccount(words[2])
            try mailbox.revoke(words[2] == "public" ? nil : entry?.id ?? words[2], onFolder: try folder(words[1], mailbox, step))
            return "ended the share of \(words[1]) with \(words[2])"
        case "track-sync":
            try mailbox.trackSync()
            return "keeps tombstones"
        default:
            if let done = try performOnItems(step, in: mailbox) ?? performOnCalendar(step, in: mailbox) ?? performOnContainers(step, in: mailbox) {
                return done
            }
            throw Scenario.error(step.line, "\"\(step.command)\" cannot be done")
        }
    }
}

// MARK: - Lines with more to do

extension ScenarioRun {
    private func deliver(_ step: Scenario.Step) throws -> String {
        let recipients = step.words[0].split(separator: ",").map(String.init)
        guard let first = recipients.first else { throw Scenario.error(step.line, "\"deliver\" needs an address") }
        let mail = try write(step, to: recipients.joined(separator: ", "), try server.openMailbox(first))
        let done = try server.deliver(mail, to: recipients)
        if let name = step.options["as"], let first = done.first { names[name] = (first.address, first.itemID) }
        return "delivered " + done.map { "message \($0.itemID) to \($0.address)" }.joined(separator: ", ")
    }

    private func live(_ step: Scenario.Step) throws -> String {
        let seed = try step.options["seed"].map { try number($0, step) } ?? 1
        let operations = try step.options["operations"].map { try number($0, step) } ?? 100
        var life = try SandboxLife(on: server, seed: UInt64(bitPattern: seed), accounts: step.words)
        if let only = step.options["only"] {
            guard only == "mail" else { throw Scenario.error(step.line, "\"\(only)\" is not mail") }
            life.onlyMail = true
        }
        try life.run(operations: Int(operations))
        return "lived \(operations) operations"
    }

    private func wait(_ step: Scenario.Step) throws -> String {
        let seconds: Double
        if step.words[0] == "next" {
            seconds = Double(1000 - server.options.clock() % 1000) / 1000
        } else {
            guard let value = Double(step.words[0]), value >= 0, value <= 86400 else {
                throw Scenario.error(step.line, "\"\(step.words[0])\" is no number of seconds")
            }
            seconds = value
        }
        usleep(UInt32(seconds * 1_000_000))
        return "waited \(step.words[0])"
    }

    func write(_ step: Scenario.Step, to recipient: String, _ mailbox: SandboxMailbox) throws -> [UInt8] {
        if let file = step.options["file"] { return try readFile(file) }
        var references: String?
        var subject = step.options["subject"]
        if let reply = step.options["reply"] {
            let id = try item(reply, mailbox, step)
            guard let row = try mailbox.item(id) else { throw missing(step, "item \(id)") }
            var head: [UInt8] = []
            let reader = try server.openBlob(
                BlobLocation(
                    mailboxID: mailbox.mailboxID, itemID: id, modContent: row.modContent, locator: row.locator, size: row.size,
                    digest: row.blobDigest))
            try withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 16) { buffer in
                let count = try reader(buffer)
                head = Array(buffer[..<count])
            }
            references = MessageSummary(bytes: head, isWhole: false).messageID
            subject = subject ?? "Re: " + (row.subject ?? "")
        }
        let size = try step.options["size"].map { Int(try number($0, step)) }
        return text.write(
            from: step.options["from"], to: recipient, subject: subject, text: step.options["text"], references: references, size: size
        ).bytes
    }

    func name(_ step: Scenario.Step, _ id: Int64, _ description: String) -> String {
        if let name = step.options["as"] { names[name] = (step.words[0], id) }
        return description
    }

    func attributes(_ step: Scenario.Step, after words: Int = 1) throws -> [String: [String]] {
        var result: [String: [String]] = [:]
        for word in step.words.dropFirst(words) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else { throw Scenario.error(step.line, "\"\(word)\" is no attribute=value") }
            result[parts[0], default: []] += parts[1].isEmpty ? [] : [parts[1]]
        }
        return result
    }

    func folder(_ path: String, _ mailbox: SandboxMailbox, _ step: Scenario.Step) throws -> Int64 {
        if let id = Int64(path) { return id }
        guard let id = try mailbox.folder(at: path) else { throw missing(step, "folder \(path)") }
        return id
    }

    func tag(_ name: String, _ mailbox: SandboxMailbox, _ step: Scenario.Step) throws -> Int64 {
        guard let tag = try mailbox.tags().first(where: { $0.name.lowercased() == name.lowercased() }) else { throw missing(step, "tag \(name)") }
        return tag.id
    }

    func items(_ words: ArraySlice<String>, _ mailbox: SandboxMailbox, _ step: Scenario.Step) throws -> [Int64] {
        try words.map { try item($0, mailbox, step) }
    }

    func item(_ word: String, _ mailbox: SandboxMailbox, _ step: Scenario.Step) throws -> Int64 {
        if let id = Int64(word) { return id }
        if word.hasPrefix("@") {
            guard let known = names[String(word.dropFirst())] else { throw missing(step, "item named \(word)") }
            return known.id
        }
        let subject = Subject(raw: word).normalized.lowercased()
        func has(_ row: ItemRow) -> Bool { row.subject?.lowercased() == subject || row.name?.lowercased() == word.lowercased() }
        let rows = step.command == "recover" || step.command == "delete-from-dumpster" ? try mailbox.dumpster() : try mailbox.items()
        let found = rows.last { $0.type == .message && has($0) } ?? rows.last { !$0.type.isContainer && $0.type != .conversation && has($0) }
        guard let found else { throw missing(step, "message with the subject \"\(word)\"") }
        return found.id
    }

    private func grant(_ grantee: String, _ rights: String, _ step: Scenario.Step) throws -> Grant {
        let masks: [Character: Int64] = ["r": 1, "w": 2, "i": 4, "d": 8, "x": 16, "a": 256, "p": 1024, "f": 2048]
        var mask: Int64 = 0
        for letter in rights {
            guard let bit = masks[letter] else { throw Scenario.error(step.line, "\"\(letter)\" is no right (r w i d x a p f)") }
            mask |= bit
        }
        if grantee == "public" { return Grant(granteeType: 6, grantee: nil, rights: mask) }
        if let entry = try server.findAccount(grantee) { return Grant(granteeType: 1, grantee: entry.id, rights: mask) }
        return Grant(granteeType: 7, grantee: grantee, rights: mask, secret: "guest")
    }

    func number(_ text: String, _ step: Scenario.Step) throws -> Int64 {
        guard let number = Int64(text) else { throw Scenario.error(step.line, "\"\(text)\" is no number") }
        return number
    }

    func missing(_ step: Scenario.Step, _ what: String) -> SandboxError { Scenario.error(step.line, "there is no \(what)") }
}
