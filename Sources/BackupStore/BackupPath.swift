import SystemPackage

/// Every file name of the layout (Design, section 4), in one place.
struct BackupPath: Sendable {
    /// The backup path itself.
    let root: FilePath
    let accounts: FilePath
    let blobs: FilePath
    let journal: FilePath
    let index: FilePath
    let expired: FilePath
    let server: FilePath
    let quarantine: FilePath
    // Paths made of text in one go: joining components costs more than opening the file.
    private let text: String

    init(_ root: FilePath) {
        self.root = root.lexicallyNormalized()
        text = self.root.string
        accounts = self.root.appending("accounts")
        blobs = self.root.appending("items")
        journal = self.root.appending("journal")
        index = self.root.appending("index")
        expired = self.root.appending("expired")
        server = self.root.appending("server")
        quarantine = self.root.appending("quarantine")
    }

    /// Files of this prefix are unfinished: ignored by every reader, removed by the next writer (R13).
    static let temporaryPrefix = ".tmp-"

    /// Folders that a new path holds from the start.
    static let folders =
        ["accounts", "items", "server", "journal", "index", "expired", "quarantine"] + DirectoryKind.allCases.map(\.rawValue)

    var identity: FilePath { root.appending("zxbackup.json") }
    var instance: FilePath { journal.appending("instance") }
    var lock: FilePath { journal.appending("lock") }
    var indexFile: FilePath { index.appending("index.sqlite") }

    func account(_ id: String) -> FilePath { FilePath("\(text)/accounts/\(id)") }

    func checkpoint(_ number: UInt64) -> FilePath { journal.appending("checkpoint-\(number)") }

    /// The salt is part of the name, so that a damaged header hides nothing of what follows it.
    func segment(_ name: SegmentName) -> FilePath { journal.appending(name.description) }

    func cuts(_ number: UInt64) -> FilePath { journal.appending("cuts-\(number)") }

    /// The blob's name is the digest; its folder the first two characters.
    func blob(_ id: BlobID) -> FilePath {
        let name = id.description
        return FilePath("\(text)/items/\(name.prefix(2))/\(name)")
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

    func history(_ key: HistoryKey) -> FilePath { FilePath("\(text)/\(relativeHistory(key))") }

    /// The history whose file that is, relative to the backup path; nil where it is none.
    func key(ofFile name: String) -> HistoryKey? {
        let parts = name.split(separator: "/").map(String.init)
        let key: HistoryKey? = switch (parts.first, parts.count) {
        case ("accounts", 3) where parts[2] == "account_info": .accountInfo(parts[1])
        case ("accounts", 3) where parts[2] == "mailbox": .mailbox(parts[1])
        case ("accounts", 5): Int64(parts[4]).map { .item(account: parts[1], id: $0) }
        case (let kind?, 2): DirectoryKind(rawValue: kind).map { .directory($0, parts[1]) }
        default: nil
        }
        // Only a file that lies where the history's does.
        return key.flatMap { $0.isStorable && relativeHistory($0) == name ? $0 : nil }
    }

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
