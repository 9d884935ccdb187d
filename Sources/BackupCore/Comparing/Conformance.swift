import BackupStore
import SystemPackage

/// Backs up the recorded life of a real mail server, restores it at every instant of its oracle, and compares with the server's rows:
/// what is selected at that time, ids kept, and the restored mailbox through the id map, contents byte by byte.
///
/// For tests and `make conformance`; holds a life in memory.
public struct Conformance {
    /// The life.
    public var life: RecordedLife

    /// A comparison with a life.
    public init(_ life: RecordedLife) { self.life = life }

    /// Runs it.
    ///
    /// - Parameters:
    ///   - folder: an existing folder for the log, the backup path and the state folder.
    ///   - target: a server without accounts.
    /// - Throws: what ends the backup or a restore; differences are in the report.
    public func run(in folder: FilePath, restoringTo target: any MailTarget & MailSource) throws -> ConformanceReport {
        let path = folder.appending("backup")
        try back(up: RecordedServer(life, folder: folder.appending("source")), to: path)
        let store = try StoreReader(opening: path)
        defer { store.close() }
        var report = ConformanceReport(list: life.list)
        for (number, instant) in life.instants.enumerated() {
            report.instants += 1
            for mailbox in instant.mailboxes {
                report.mailboxes += 1
                let selection = try Selection(account: mailbox.accountID, at: .change(mailbox.lastChange), in: store)
                let selected = try selection.unbrokenItems(in: store)
                var comparison = Comparison(instant: instant.label, mailbox: mailbox, marks: selection.marks.map(\.reason))
                comparison.compare(selected)
                let state = folder.appending("state")
                let restored = try RestoreOnNewAccount(
                    source: mailbox.accountID, destination: "mailbox\(mailbox.id).at\(number)@restored.example.com",
                    moment: .change(mailbox.lastChange)
                ).run(from: store, to: target, stateFolder: state)
                try comparison.compare(restored, selected, target, state) { life.content(ofDigest: $0) }
                report.add(comparison)
            }
        }
        return report
    }

    private func back(up server: RecordedServer, to path: FilePath) throws {
        try StoreWriter.create(path, serverID: life.serverID)
        let engine = try BackupEngine(source: server, store: try StoreWriter(opening: path, serverID: life.serverID))
        try engine.begin()
        while try server.advance() { try engine.catchUp() }
        try engine.close()
    }
}

/// A restored mailbox as its server's tables show it.
struct RestoredRows {
    var rows: [Int64: ItemRow]
    var revisions: [Int64: [RevisionRow]]
    var tags: [TagRow]
    /// Id in the source -> id in the target.
    var targets: [Int64: Int64]
    /// What the restore's report says of items that it did not restore.
    var unrestored: [Int64: String]
}

/// What a comparison with a recorded life found.
public struct ConformanceReport {
    /// Instants of the oracle.
    public internal(set) var instants = 0
    /// Mailboxes compared, each at each instant.
    public internal(set) var mailboxes = 0
    /// Items compared, each at each instant.
    public internal(set) var items = 0
    /// Differences that a reader of the log could know better: defects, in words.
    public internal(set) var derivable: [String] = []
    /// Differences that the log does not tell, by kind, where the account carries a mark or the item a doubt.
    public internal(set) var unlogged: [String: Int] = [:]
    /// Differences in what the server computes, by column.
    public internal(set) var computed: [String: Int] = [:]
    private var list: [String: Int]

    /// - Parameter list: the data set's own count of what its log does not tell, by kind.
    init(list: [String: Int]) { self.list = list }

    mutating func add(_ comparison: Comparison) {
        items += comparison.items
        for difference in comparison.differences {
            switch difference.class {
            case .computed: computed[difference.kind, default: 0] += 1
            case .unlogged: unlogged[difference.kind, default: 0] += 1
            case .derivable: derivable.append("derivable: \(difference)")
            case .onTheList(let name):
                // The list is a number of cases: what goes beyond it is a defect.
                guard !comparison.marks.isEmpty || difference.isInDoubt, let left = list[name], left > 0 else {
                    derivable.append("derivable: \(difference)")
                    continue
                }
                list[name] = left - 1
                unlogged[difference.kind, default: 0] += 1
            }
        }
    }

    /// The differences: defects one by one, the others counted.
    public var text: String {
        var lines = derivable
        lines += unlogged.sorted { $0.key < $1.key }.map { "not in the log: \($0.key) × \($0.value)" }
        lines += computed.sorted { $0.key < $1.key }.map { "computed by the server: \($0.key) × \($0.value)" }
        return lines.joined(separator: "\n")
    }

    /// The figures.
    public var lastLine: String {
        let counts = (unlogged.values.reduce(0, +), computed.values.reduce(0, +))
        return "conformance: \(instants) instants, \(mailboxes) mailboxes, \(items) items, \(derivable.count) derivable differences, "
            + "\(counts.0) not in the log, \(counts.1) computed"
    }
}
