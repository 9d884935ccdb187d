import Glibc
import SystemPackage

extension CheckRun {
    static var hourAgo: Int64 { Int64(time(nil)) - 3600 }

    func unexpected(_ file: String) {
        find(
            CheckFinding(
                .unexpectedFile, .note, file: file, "the store did not make it, and does not look at it",
                remedy: "Look what it is, and move it out of the backup path"))
    }

    /// A folder's entries; names that differ in upper and lower case only are told of.
    func entries(_ folder: FilePath, telling: Bool = true) throws -> [FolderEntry] {
        let entries: [FolderEntry]
        do {
            entries = try histories.list(folder)
        } catch let error as Errno {
            unreadable(folder, error)
            return []
        }
        guard telling else { return entries }
        let byLowerCase = Dictionary(grouping: entries) { $0.name.lowercased() }
        for twins in byLowerCase.values.filter({ $0.count > 1 }).sorted(by: { $0[0].name < $1[0].name }) {
            find(
                CheckFinding(
                    .caseTwins, .note, file: path.relative(folder.appending(twins[0].name)),
                    "differs from \(twins[1].name) in upper and lower case only",
                    remedy: "Was the path on a file system that does not tell them apart? Move away what the store did not make"))
        }
        return entries
    }

    /// Names outside of `items/` and `expired/`.
    func checkNames() throws {
        for account in try entries(path.accounts, telling: scope.includesRest) {
            if account.isFolder {
                if scope.contains(account.name) { try checkNames(ofAccount: account.name) }
            } else if scope.includesRest {
                unexpected("accounts/\(account.name)")
            }
        }
        guard scope.includesRest else { return }
        for entry in try entries(path.root) {
            let isKnown = entry.isFolder ? BackupPath.folders.contains(entry.name) : entry.name == "zxbackup.json"
            if !isKnown, !entry.name.hasPrefix("map_") { unexpected(entry.name) }
        }
        for kind in DirectoryKind.allCases {
            for entry in try entries(path.root.appending(kind.rawValue)) where entry.isFolder || !isFileName(entry.name) {
                unexpected("\(kind.rawValue)/\(entry.name)")
            }
        }
        for entry in try entries(path.journal) {
            let isKnown =
                SegmentName(entry.name) != nil || ["instance", "lock"].contains(entry.name)
                || ["checkpoint-", "cuts-"].contains { BackupPath.number(entry.name, after: $0) != nil }
            if entry.isFolder || !isKnown { unexpected("journal/\(entry.name)") }
        }
        for entry in try entries(path.index) where entry.isFolder || !Self.indexNames.contains(entry.name) {
            unexpected("index/\(entry.name)")
        }
    }

    private static var indexNames: Set<String> { ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] }

    private func checkNames(ofAccount account: String) throws {
        let folder = path.account(account)
        for entry in try entries(folder) where entry.name != "items" || !entry.isFolder {
            let isKnown =
                ["account_info", "mailbox", "backupstat"].contains(entry.name)
                || BackupPath.number(entry.name, after: AccountStat.prefix) != nil
            if entry.isFolder || !isKnown { unexpected("accounts/\(account)/\(entry.name)") }
        }
        for group in try entries(folder.appending("items")) {
            let place = "accounts/\(account)/items/\(group.name)"
            guard group.isFolder else {
                unexpected(place)
                continue
            }
            for entry in try entries(folder.appending("items").appending(group.name)) {
                let id = Int64(entry.name)
                let isInPlace = id.map { path.relativeHistory(.item(account: account, id: $0)) } == "\(place)/\(entry.name)"
                if entry.isFolder || !isInPlace { unexpected("\(place)/\(entry.name)") }
            }
        }
    }
}
