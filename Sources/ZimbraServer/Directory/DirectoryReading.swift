import BackupCore
import BackupStore
import Foundation

/// The directory as histories keep it: which entries there are and whether they changed, and then those that did.
extension ZimbraDirectory {
    /// What is asked of every entry.
    private static let listed = ["objectClass", "zimbraId", "zimbraMailHost", "zimbraAliasTargetId", "entryCSN", "cn", "uid"]

    /// Every account of a server and every other entry, each with a number made of its `entryCSN` and of those that belong to it.
    ///
    /// One search over the whole tree, without attributes that matter: a child's change is none of the entry above.
    ///
    /// - Parameter server: the server's name, as in `zimbraMailHost`.
    /// - Throws: `CoreError`.
    public func versions(of server: String) throws -> [HistoryKey: Int] {
        var versions: [HistoryKey: Int] = [:]
        var keyOfDN: [String: HistoryKey] = [:]
        var keyOfID: [String: HistoryKey] = [:]
        // What belongs to another entry: by that one's DN, or by its id.
        var parts: [(owner: Owner, dn: String, version: Int)] = []
        var elsewhere: Set<String> = []
        var orphans: [(key: HistoryKey, target: String, version: Int)] = []
        try connect().search("(objectClass=*)", attributes: Self.listed) { raw in
            let entry = DirectoryEntry(raw)
            guard !entry.dn.isEmpty else { return }
            let version = Self.version(entry)
            func add(_ key: HistoryKey) {
                versions[key] = version
                keyOfDN[entry.dn.lowercased()] = key
                if !entry.id.isEmpty { keyOfID[entry.id] = key }
            }
            switch DirectoryRole(entry) {
            case .account(let id, let host):
                guard !id.isEmpty, host?.lowercased() == server.lowercased() else {
                    elsewhere.insert(id)
                    return
                }
                add(.accountInfo(id))
            case .child: parts.append((.dn(entry.parentDN.lowercased()), entry.dn, version))
            case .alias(let target):
                parts.append((.id(target), entry.dn, version))
                orphans.append((Self.orphanKey(entry), target, version))
            case .configuration(let key): add(key)
            }
        }
        for part in parts {
            let key: HistoryKey? = switch part.owner {
            case .dn(let dn): keyOfDN[dn]
            case .id(let id): keyOfID[id]
            }
            // The order in which they come has no meaning.
            if let key { versions[key]! ^= part.version }
        }
        // An alias that leads nowhere is an entry like any other.
        for orphan in orphans where keyOfID[orphan.target] == nil && !elsewhere.contains(orphan.target) {
            versions[orphan.key] = orphan.version
        }
        return versions
    }

    private enum Owner {
        case dn(String)
        case id(String)
    }

    private static func version(_ entry: DirectoryEntry) -> Int {
        var hasher = Hasher()
        hasher.combine(entry.dn)
        hasher.combine(entry["entryCSN"])
        return hasher.finalize()
    }

    private static func orphanKey(_ alias: DirectoryEntry) -> HistoryKey { .directory(.domains, ConfigurationEntry.id(ofDN: alias.dn)) }

    /// Hands out entries by their keys; accounts also where another server has them.
    ///
    /// - Throws: `CoreError`, and what `body` throws.
    public func read(_ keys: [HistoryKey], _ body: (DirectoryRecord) throws -> Void) throws {
        let connection = try connect()
        let accounts = keys.compactMap { if case .accountInfo(let id) = $0 { id } else { nil } }
        if !accounts.isEmpty {
            let filter = "(&(objectClass=zimbraAccount)\(Self.anyOf(accounts)))"
            for account in try self.accounts(filter, in: connection) { try body(.account(account)) }
        }
        var wanted: [HistoryKey: DirectoryEntry] = [:]
        let others = keys.compactMap { if case .directory(_, let id) = $0 { id } else { nil } }
        func take(_ entries: [DirectoryEntry]) {
            for entry in entries {
                if case .configuration(let key) = DirectoryRole(entry) { wanted[key] = entry } else { wanted[Self.orphanKey(entry)] = entry }
            }
        }
        // What has no id is named by its DN.
        let ids = others.filter { !$0.contains("=") }
        if !ids.isEmpty { take(try entries(Self.anyOf(ids), in: connection)) }
        for id in others where id.contains("=") {
            take(try entries("(objectClass=*)", below: id.removingPercentEncoding ?? id, .base, in: connection))
        }
        let aliases = ids.isEmpty ? [:] : Dictionary(grouping: try self.aliases(of: ids, in: connection)) { $0["zimbraAliasTargetId"]?.lowercased() ?? "" }
        for key in keys {
            guard case .directory(let kind, let id) = key, let entry = wanted[key] else { continue }
            var parts = aliases[entry.id] ?? []
            if kind == .groups { parts += try entries("(objectClass=*)", below: entry.dn, in: connection).filter { $0.dn != entry.dn } }
            try body(
                .configuration(
                    ConfigurationEntry(
                        kind: kind, id: id, name: entry.name, dn: entry.dn, attributes: entry.attributes,
                        parts: parts.map { ConfigurationEntry.Part(dn: $0.dn, attributes: $0.attributes) }.sorted { $0.dn < $1.dn })))
        }
    }

    private static func anyOf(_ ids: [String]) -> String {
        "(|" + ids.map { "(zimbraId=\(DirectoryConnection.escaped($0)))" }.joined() + ")"
    }
}
