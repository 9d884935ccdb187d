import SystemPackage

@testable import RedoLog

/// A mail server's random life, as far as its log is concerned, and what it committed.
final class LogLife {
    let location: LogLocation
    let deletes: Bool
    private(set) var committed: [TransactionID] = []
    private var writer: LogWriter
    private var open: [(transaction: TransactionID, mailbox: Int64)] = []
    private var random: SeededGenerator
    private var now: Int64 = 1_780_000_000_000
    private var process: Int32 = 1_700_000_000

    init(_ folder: TemporaryFolder, seed: UInt64, deletes: Bool) throws {
        location = LogLocation(log: folder.path.appending("redo.log"), archive: folder.path.appending("archive"))
        self.deletes = deletes
        random = SeededGenerator(seed: seed)
        writer = try Self.writer(location, deletes, process, now)
    }

    private static func writer(
        _ location: LogLocation, _ deletes: Bool, _ process: Int32, _ now: Int64
    ) throws -> LogWriter {
        var settings = LogWriter.Settings()
        settings.syncsStarts = false
        settings.deletesOnRollover = deletes
        settings.processStart = process
        settings.clock = { now }
        return try LogWriter(location: location, serverID: "server", settings: settings)
    }

    /// Something that a server does often.
    func step() throws {
        now += Int64.random(in: 0...500, using: &random)
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5: try start()
        case 5..<9: try end(commits: true)
        default: try end(commits: false)
        }
    }

    /// A mailbox that is not in a transaction starts one.
    private func start() throws {
        let mailbox = Int64.random(in: 1...8, using: &random)
        guard !open.contains(where: { $0.mailbox == mailbox }) else { return }
        open.append((try start(in: mailbox), mailbox))
    }

    private func start(in mailbox: Int64) throws -> TransactionID {
        if Bool.random(using: &random) {
            return try writer.logStart(
                .createTag(CreateTag { $0.name = "Tag \(self.now)"; $0.itemID = 257 }), mailbox: mailbox, change: 100, timestamp: now)
        }
        let size = Int.random(in: 0...3000, using: &random)
        let message = CreateMessage {
            $0.size = Int64(size)
            $0.body = Body(length: Int64(size))
        }
        return try writer.logStart(
            .createMessage(message), mailbox: mailbox, change: 100, timestamp: now,
            bodies: [.bytes([UInt8](repeating: 0x5A, count: size))])
    }

    private func end(commits: Bool) throws {
        guard let index = open.indices.randomElement(using: &random) else { return }
        let transaction = open.remove(at: index).transaction
        if commits {
            try writer.logCommit(transaction, timestamp: now)
            committed.append(transaction)
        } else {
            try writer.logAbort(transaction, timestamp: now)
        }
    }

    func rollOver() throws { try writer.rollOver() }

    /// The server dies and starts again: what was open is done again and committed under its old id.
    func crash() throws {
        process += 10
        writer = try Self.writer(location, deletes, process, now)
        for (transaction, _) in open {
            try writer.logCommit(transaction, timestamp: now)
            committed.append(transaction)
        }
        open = []
    }

    func finish() throws {
        while !open.isEmpty { try end(commits: true) }
    }
}

extension LogFollower {
    /// Everything up to now.
    func drain() throws -> [Follow] {
        var all: [Follow] = []
        while true {
            let follow = try next()
            if case .caughtUp = follow { return all }
            all.append(follow)
        }
    }
}

extension [Follow] {
    var transactions: [TransactionID] {
        compactMap { if case .transaction(let transaction) = $0 { transaction.id } else { nil } }
    }
    var lostEnds: [TransactionID] {
        compactMap { if case .lostEnd(let open, _) = $0 { open.start.header.transaction } else { nil } }
    }
    var notices: [FollowNotice] {
        compactMap { if case .notice(let notice) = $0 { notice } else { nil } }
    }
}
