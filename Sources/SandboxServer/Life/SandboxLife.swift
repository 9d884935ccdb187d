import BackupCore
import Glibc

/// A seeded life: random operations on the mailboxes of a server, as users and the world outside make them.
///
/// The same seed on an equal server gives the same operations; ids and texts are equal, UUIDs and times are not.
public struct SandboxLife {
    /// What was done, for a log of the life.
    public struct Event: Sendable, CustomStringConvertible {
        /// Whose mailbox it was.
        public var account: String
        /// What was done, in words.
        public var operation: String
        /// Whether it began with a mailbox that was not there before.
        public var beginsMailbox = false
        /// Account and operation.
        public var description: String { "\(account): \(operation)" }
    }

    /// What the life knows of one mailbox.
    struct Known {
        var account: String
        var mailbox: SandboxMailbox
        /// Ids by kind of item; chats are no messages here, drafts neither.
        var messages: [Int64] = []
        var drafts: [Int64] = []
        var folders: [Int64] = []
        var contacts: [Int64] = []
        var documents: [Int64] = []
        var links: [Int64] = []
        var notes: [Int64] = []
        var chats: [Int64] = []
        var appointments: [Int64] = []
        var searches: [Int64] = []
        var mountpoints: [Int64] = []
        var tags: [String] = []
        var grants: [(folder: Int64, grantee: String)] = []
        /// Subjects and Message-IDs that may be answered.
        var threads: [(subject: String, id: String)] = []
    }

    let server: SandboxServer
    var generator: SeededGenerator
    var text: MailText
    var known: [Known]
    var names = 0
    let messageSize: Int?
    /// Nothing but deliveries to one account each.
    public var onlyDelivers = false
    /// Nothing but what happens to mail, folders and tags.
    public var onlyMail = false
    /// Also what an administrator does: accounts get other names, and some are deleted and made anew.
    public var changesAccounts = false
    /// How many operations were done.
    public private(set) var count = 0

    /// A life on accounts; an account that is not there is created, every second one with a dumpster.
    ///
    /// - Parameter messageSize: bytes of a message; nil = as mail is.
    public init(on server: SandboxServer, seed: UInt64, accounts: [String], messageSize: Int? = nil) throws {
        self.server = server
        self.messageSize = messageSize
        generator = SeededGenerator(seed: seed)
        text = MailText(seed: seed ^ 0x5EED)
        known = try accounts.enumerated().map { place, account in
            if try server.findAccount(account) == nil {
                let keeps = place % 2 == 0 ? "TRUE" : "FALSE"
                _ = try server.createAccount(name: account, attributes: ["zimbraDumpsterEnabled": [keeps]])
            }
            var known = Known(account: account, mailbox: try server.openMailbox(account))
            try Self.refresh(&known)
            return known
        }
    }

    /// Learns what a mailbox holds.
    static func refresh(_ known: inout Known) throws {
        var fresh = Known(account: known.account, mailbox: known.mailbox)
        for item in try known.mailbox.items() {
            switch item.type {
            case .message where item.flags.contains(.draft): fresh.drafts.append(item.id)
            case .message: fresh.messages.append(item.id)
            case .folder where item.id > 255: fresh.folders.append(item.id)
            case .contact: fresh.contacts.append(item.id)
            case .document: fresh.documents.append(item.id)
            case .link: fresh.links.append(item.id)
            case .note: fresh.notes.append(item.id)
            case .chat: fresh.chats.append(item.id)
            case .appointment, .task: fresh.appointments.append(item.id)
            case .searchFolder: fresh.searches.append(item.id)
            case .mountpoint: fresh.mountpoints.append(item.id)
            default: break
            }
        }
        fresh.tags = try known.mailbox.tags().map(\.name)
        fresh.threads = known.threads
        fresh.grants = known.grants.filter { fresh.folders.contains($0.folder) }
        known = fresh
    }

    /// Does one operation.
    ///
    /// - Throws: what the server throws; refusals that a random life runs into are avoided or counted as done.
    @discardableResult
    public mutating func step() throws -> Event {
        count += 1
        let place = generator.number(0...(known.count - 1))
        var one = known[place]
        defer { known[place] = one }
        let (account, mailbox) = (one.account, one.mailbox.mailboxID)
        let operation = try act(&one)
        return Event(account: account, operation: operation, beginsMailbox: one.mailbox.mailboxID != mailbox)
    }

    /// Does a number of operations.
    public mutating func run(operations: Int) throws { for _ in 0..<operations { try step() } }

    /// Does operations at a rate for a time; `rate` 0 = as fast as it goes. `each` is called after each one with
    /// the number done, and ends the life early by returning false.
    public mutating func run(rate: Double, seconds: Double, each: (Event, Int) throws -> Bool = { _, _ in true }) throws {
        let start = Self.monotonic()
        var done = 0
        while Self.monotonic() - start < seconds {
            let event = try step()
            done += 1
            guard try each(event, done) else { return }
            guard rate > 0 else { continue }
            let ahead = start + Double(done) / rate - Self.monotonic()
            if ahead > 0 {
                var pause = timespec(tv_sec: Int(ahead), tv_nsec: Int((ahead - ahead.rounded(.down)) * 1e9))
                nanosleep(&pause, nil)
            }
        }
    }

    private static func monotonic() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}

// MARK: - The operations

extension SandboxLife {
    private mutating func act(_ one: inout Known) throws -> String {
        if onlyDelivers { return try deliver(&one) }
        // Mail, folders and tags come first.
        switch generator.number(0...(onlyMail ? 844 : changesAccounts ? 1014 : 1007)) {
        case 0..<230: return try deliver(&one)
        case 230..<280: return try deliverToAll(&one)
        case 280..<350: return try reply(&one)
        case 350..<390: return try add(&one)
        case 390..<420: return try draft(&one)
        case 420..<510: return try mark(&one)
        case 510..<565: return try tag(&one)
        case 565..<645: return try move(&one)
        case 645..<675: return try copy(&one)
        case 675..<715: return try delete(&one)
        case 715..<760: return try folder(&one)
        case 760..<790: return try tags(&one)
        case 790..<810: return try conversation(&one)
        case 810..<830: return try share(&one)
        case 830..<845: return try clean(&one)
        case 845..<880: return try contact(&one)
        case 880..<915: return try document(&one)
        case 915..<945: return try calendar(&one)
        case 945..<960: return try noteOrChat(&one)
        case 960..<975: return try container(&one)
        case 975..<988: return try attribute(&one)
        case 988..<1000: return try dumpster(&one)
        case 1000..<1008: return try setting(&one)
        default: return try account(&one)
        }
    }
}

// MARK: - Choices

extension SandboxLife {
    /// One to five messages of a mailbox.
    mutating func some(_ one: Known) -> [Int64] {
        guard !one.messages.isEmpty else { return [] }
        var ids: [Int64] = []
        for _ in 0..<generator.number(1...5) {
            let id = generator.pick(one.messages)
            if !ids.contains(id) { ids.append(id) }
        }
        return ids
    }

    mutating func anyFolder(_ one: Known) -> Int64 {
        one.folders.isEmpty || generator.chance(40) ? generator.pick([FolderID.inbox, FolderID.sent]) : generator.pick(one.folders)
    }

    mutating func newName(_ kind: String) -> String {
        names += 1
        return "\(kind) \(generator.pick(["red", "blue", "grün", "żółty", "日本"])) \(names)"
    }

    /// An operation that the server may rightly refuse.
    func refusable(_ operation: String, _ body: () throws -> Void) throws -> String {
        do {
            try body()
            return operation
        } catch let error as SandboxError where [.refused, .alreadyExists, .noSuchItem].contains(error.code) {
            return operation + " (refused)"
        }
    }
}
