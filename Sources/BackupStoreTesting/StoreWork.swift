import BackupStore
import SystemPackage

/// Random work on a backup path that follows from a seed: append, commit, roll back, checkpoint, rebuild, purge, reopen.
final class StoreWork {
    static let accounts = ["6f1c5a3e-0000-4000-8000-000000000001", "6f1c5a3e-0000-4000-8000-000000000002"]

    /// A few bodies that come again and again: small, of several sectors, and longer than the store compresses at a time.
    private static let bodies: [[UInt8]] = (0..<12).map { number in
        var generator = SeededGenerator(seed: UInt64(number))
        let size = number == 11 ? 300_000 : number * 173
        return Array("Subject: \(number)\r\n\r\n".utf8) + (0..<size).map { _ in UInt8.random(in: 32..<96, using: &generator) }
    }

    private(set) var model = StoreModel()
    /// What was done, for messages.
    private(set) var steps: [String] = []
    /// Errors that the work survived, in their order.
    private(set) var errors: [any Error] = []

    private let disk: SimulatedFileSystem
    private let path: FilePath
    private var generator: SeededGenerator
    private var options = StoreOptions()
    private var writer: FileStoreWriter<SimulatedFileSystem>?

    /// - Parameter model: what the path holds already.
    init(on disk: SimulatedFileSystem, seed: UInt64, model: StoreModel = StoreModel()) {
        self.disk = disk
        self.model = model
        path = disk.base
        generator = SeededGenerator(seed: seed)
        options.checkpointBytes = generator.once(in: 3) ? 4 << 10 : 64 << 20
        let clock = disk.clock
        options.now = { clock.now }
        options.sinceBoot = { clock.sinceBoot }
    }

    /// Works until done or until the power fails.
    ///
    /// - Parameter goesOn: whether the work goes on after errors other than the power's failing, as a service would.
    func run(steps count: Int, goesOn: Bool) throws {
        var failures = 0
        var n = 0
        while n < count {
            do {
                try prepare()
                try step(n)
                n += 1
            } catch where !disk.isDead && goesOn && !(error is BrokenInvariant) {
                errors.append(error)
                failures += 1
                guard failures < 20 else { throw error }
                try drop()
            }
        }
        do {
            try writer?.close()
        } catch where !disk.isDead && goesOn {
            errors.append(error)
        }
        writer = nil
    }

    /// Lets go of the path as a killed process does.
    func abandon() {
        writer?.abandon()
        writer = nil
    }

    /// Opens the path, and makes it where there is none.
    private func prepare() throws {
        guard writer == nil else { return }
        if disk.look(at: "zxbackup.json") == nil {
            try FileStoreWriter.create(path, serverID: "server-1", files: disk)
        }
        let opened = try FileStoreWriter(opening: path, serverID: "server-1", options: options, files: disk)
        writer = opened
        // Where closing failed, what a failed commit dropped may be there all the same, as after a crash.
        if opened.lastSequence > UInt64(model.acknowledged), !model.doubtful.isEmpty {
            model.transactions = model.transactions.prefix(model.acknowledged) + model.doubtful
        }
        try settle(opened)
    }

    /// After an error: what was not committed is gone, and the writer says what was.
    private func drop() throws {
        guard let writer else { return }
        do { try writer.rollback() } catch { errors.append(error) }
        try settle(writer)
    }

    private func settle(_ writer: FileStoreWriter<SimulatedFileSystem>) throws {
        let count = Int(writer.lastSequence)
        guard count >= model.acknowledged, count <= model.transactions.count else {
            throw BrokenInvariant(
                "the writer says that \(count) transactions are committed; \(model.acknowledged) were acknowledged, "
                    + "\(model.transactions.count) appended")
        }
        let dropped = Array(model.transactions[count...])
        let doubtful = model.doubtful.isEmpty ? dropped : model.doubtful
        model.settle(count)
        model.doubtful = doubtful
    }

    private func step(_ number: Int) throws {
        guard let writer else { return }
        switch Int.random(in: 0..<20, using: &generator) {
        case 0..<10: try append(number, writer)
        case 10..<14: try commit(writer)
        case 14:
            try writer.rollback()
            model.transactions.removeLast(model.transactions.count - model.acknowledged)
            steps.append("rollback")
        case 15, 16:
            try commit(writer)
            try writer.checkpoint()
            steps.append("checkpoint")
        case 17:
            try commit(writer)
            try writer.rebuildIndex()
            steps.append("rebuild")
        case 18: try purge(writer)
        default:
            defer { self.writer = nil }
            try writer.close()
            model.transactions.removeLast(model.transactions.count - model.acknowledged)
            steps.append("reopen")
        }
    }

    private func commit(_ writer: FileStoreWriter<SimulatedFileSystem>) throws {
        steps.append("commit")
        try writer.commit()
        // A commit of nothing proves nothing about a group that failed before it.
        if model.transactions.count > model.acknowledged { model.settle(model.transactions.count) }
        guard Int(writer.lastSequence) == model.acknowledged else {
            throw BrokenInvariant("\(model.acknowledged) transactions are committed, the writer says \(writer.lastSequence)")
        }
    }

    private func append(_ number: Int, _ writer: FileStoreWriter<SimulatedFileSystem>) throws {
        let value = Int64(model.transactions.count) * 1000 + Int64(number)
        var transaction = StoreTransaction(account: nil, time: value, kind: "redolog")
        var entry = StoreModel.Transaction()
        if generator.once(in: 8) {
            entry.states = [(.directory(.domains, "domain-\(Int.random(in: 1...3, using: &generator))"), value, [])]
        } else {
            let account = Self.accounts.randomElement(using: &generator)!
            (transaction.account, entry.account) = (account, account)
            let ids = (1...8).shuffled(using: &generator).prefix(generator.once(in: 4) ? 5 : 1)
            for id in ids {
                var blobs: [BlobID] = []
                if !generator.once(in: 3) { blobs = [try stage(writer)] }
                entry.states.append((.item(account: account, id: Int64(id)), value, blobs))
            }
            if generator.once(in: 12) {
                entry.mark = "reason \(value)"
                transaction.marks = [Mark(reason: "reason \(value)", time: value)]
            }
        }
        transaction.states = entry.states.map { state in
            var fields: JSONObject = ["type": "message", "value": .int(state.value), "folder": 2]
            if let text = StoreModel.State.text(of: state.value) { fields["text"] = .string(text) }
            return NewState(
                key: state.key, fields: fields,
                blobs: state.blobs.map { BlobReference(id: $0, size: Int64(model.bodies[$0]!.count), stored: 0) })
        }
        if generator.once(in: 2) { entry.position = "position \(value)" }
        transaction.position = entry.position
        steps.append("append \(entry.states.map(\.key))")
        try writer.append(transaction)
        model.transactions.append(entry)
    }

    private func stage(_ writer: FileStoreWriter<SimulatedFileSystem>) throws -> BlobID {
        let body = Self.bodies.randomElement(using: &generator)!
        let reference = try writer.stageBlob(body)
        model.bodies[reference.id] = body
        return reference.id
    }

    private func purge(_ writer: FileStoreWriter<SimulatedFileSystem>) throws {
        try commit(writer)
        let key = HistoryKey.item(account: Self.accounts[0], id: Int64.random(in: 1...8, using: &generator))
        steps.append("purge \(key)")
        model.transactions.append(StoreModel.Transaction(removals: [key]))
        try writer.removeHistories([key], with: .purge(1))
        // Acknowledged when the removal returned.
        if Int(writer.lastSequence) == model.transactions.count { model.acknowledged = model.transactions.count }
        _ = try writer.expireReleasedBlobs()
        if generator.once(in: 2) { try writer.emptyExpired(day: "0") }
        if generator.once(in: 4) { try writer.removePurgedAccounts() }
    }
}
