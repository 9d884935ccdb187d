import SystemPackage

/// `account_stat-<n>`: what holds of an account at the checkpoint of sequence n.
struct AccountStat: Sendable, Equatable {
    struct SequencedMark: Sendable, Equatable {
        var mark: Mark
        var sequence: UInt64
    }

    var sequence: UInt64
    var items: Int64
    var lines: Int64
    /// Sum of the checksums of all history lines.
    var checksums: Int64
    var marks: [SequencedMark]

    static let prefix = "account_stat-"

    var bytes: [UInt8] {
        let marks = marks.map { JSONValue.array([.int(Int64($0.sequence)), $0.mark.json]) }
        return SealedJSON.encode([
            "seq": .int(Int64(sequence)), "items": .int(items), "lines": .int(lines), "checksums": .int(checksums),
            "marks": .array(marks),
        ])
    }

    init(sequence: UInt64, items: Int64, lines: Int64, checksums: Int64, marks: [SequencedMark]) {
        (self.sequence, self.items, self.lines, self.checksums, self.marks) = (sequence, items, lines, checksums, marks)
    }

    init?(_ bytes: [UInt8]) {
        guard let members = SealedJSON.decode(bytes), let sequence = members["seq"]?.int, sequence >= 0,
            let items = members["items"]?.int,
            let lines = members["lines"]?.int, let checksums = members["checksums"]?.int, let marks = members["marks"]?.array
        else { return nil }
        self.init(
            sequence: UInt64(sequence), items: items, lines: lines, checksums: checksums,
            marks: marks.compactMap { element in
                guard let pair = element.array, pair.count == 2, let sequence = pair[0].int, sequence >= 0,
                    let mark = Mark(json: pair[1]) else {
                    return nil
                }
                return SequencedMark(mark: mark, sequence: UInt64(sequence))
            })
    }

    /// Numbers of the account's stat files, newest first.
    static func numbers(_ files: some FileSystem, _ path: BackupPath, _ account: String) throws -> [UInt64] {
        guard try files.status(path.account(account)) != nil else { return [] }
        return try files.list(path.account(account)).compactMap { BackupPath.number($0.name, after: prefix) }.sorted(by: >)
    }

    /// The newest that can be read.
    static func newest(_ files: some FileSystem, _ path: BackupPath, _ account: String) throws -> AccountStat? {
        for number in try numbers(files, path, account) {
            let place = path.account(account).appending("\(prefix)\(number)")
            if let bytes = try files.readSmallFile(place), let stat = AccountStat(bytes) { return stat }
        }
        return nil
    }
}
