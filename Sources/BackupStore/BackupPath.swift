import SystemPackage

/// Every file name of the layout (Design, section 4), in one place.
struct BackupPath: Sendable {
    /// The backup path itself.
    let root: FilePath

    init(_ root: FilePath) { self.root = root.lexicallyNormalized() }

    /// Files of this prefix are unfinished: ignored by every reader, removed by the next writer (R13).
    static let temporaryPrefix = ".tmp-"

    /// Folders that a new path holds from the start.
    static let folders =
        ["accounts", "items", "server", "journal", "index", "expired", "quarantine"] + DirectoryKind.allCases.map(\.rawValue)

    var identity: FilePath { root.appending("zxbackup.json") }
    var accounts: FilePath { root.appending("accounts") }
    var blobs: FilePath { root.appending("items") }
    var journal: FilePath { root.appending("journal") }
    var instance: FilePath { journal.appending("instance") }
    var lock: FilePath { journal.appending("lock") }
    var index: FilePath { root.appending("index") }
    var indexFile: FilePath { index.appending("index.sqlite") }
    var expired: FilePath { root.appending("expired") }

    func account(_ id: String) -> FilePath { accounts.appending(id) }

    func checkpoint(_ number: UInt64) -> FilePath { journal.appending("checkpoint-\(number)") }

    /// The salt is part of the name, so that a damaged header hides nothing of what follows it.
    func segment(_ name: SegmentName) -> FilePath { journal.appending(name.description) }

    func cuts(_ number: UInt64) -> FilePath { journal.appending("cuts-\(number)") }

    /// The blob's name is the digest; its folder the first two characters.
    func blob(_ id: BlobID) -> FilePath {
        let name = id.description
        return blobs.appending(String(name.prefix(2))).appending(name)
    }

    func expiredBlob(_ id: BlobID, day: String) -> FilePath { expired.appending(day).appending(id.description) }

    /// The file of a history, relative to the backup path.
    func relativeHistory(_ key: HistoryKey) -> String {
        switch key {
        case .item(let account, let id):
            // Item 2 lies in items/02/2; of a negative id the digits count.
            let lastTwo = id.magnitude % 100
            return "accounts/\(account)/items/\(lastTwo < 10 ? "0" : "")\(lastTwo)/\(id)"
        case .accountInfo(let account): return "accounts/\(account)/account_info"
        case .mailbox(let account): return "accounts/\(account)/mailbox"
        case .directory(let kind, let id): return "\(kind.rawValue)/\(id)"
        }
    }

    func history(_ key: HistoryKey) -> FilePath { root.pushing(FilePath(relativeHistory(key))) }

    /// A file's name as messages show it.
    func relative(_ path: FilePath) -> String {
        var path = path
        _ = path.removePrefix(root)
        return path.string
    }

    /// The number at the end of `checkpoint-12`; nil for other names.
    static func number(_ name: String, after prefix: String) -> UInt64? {
        guard name.hasPrefix(prefix) else { return nil }
        let digits = name.dropFirst(prefix.count)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return UInt64(digits)
    }
}
