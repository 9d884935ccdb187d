import BackupCore
import GRDB

/// Identities, signatures and data sources: entries below an account's.
extension SandboxServer {
    /// Adds an identity, a signature or a data source, and returns its id: the one that its attributes give, else a new one.
    ///
    /// Every signature is an entry; the real server keeps an account's first one in the account's own attributes, which
    /// `modifyAccount` does here.
    @discardableResult
    public func addChild(_ child: AccountChild, toAccount nameOrID: String) throws -> String {
        guard let account = try accountID(nameOrID) else { throw missing(nameOrID) }
        let doing = "adding \(child.title)"
        guard !child.name.isEmpty else { throw SandboxError(.invalidName, doing: doing, reason: "it has no name") }
        guard child.kind != .identity || child.name != "DEFAULT" else {
            throw SandboxError(.alreadyExists, doing: doing, reason: "the default identity is the account itself")
        }
        guard try self.child(child.kind, child.name, of: account) == nil else {
            throw SandboxError(.alreadyExists, doing: doing, reason: "there is one of that name")
        }
        let id = child.id.isEmpty ? UUIDText.random() : child.id
        var attributes = child.attributes
        attributes[child.kind.idAttribute] = [id]
        try write { database in
            try database.execute(
                sql: "INSERT INTO directory_child (account_id, kind, name) VALUES (?, ?, ?)",
                arguments: [account, child.kind.rawValue, child.name])
            try Self.replace(attributes, of: Self.entryID(ofChild: database.lastInsertedRowID), in: database)
        }
        return id
    }

    /// Replaces attributes of an identity, a signature or a data source; an empty list removes one. Its name stays.
    public func modifyChild(
        _ kind: AccountChild.Kind, named name: String, ofAccount nameOrID: String, attributes: [String: [String]]
    ) throws {
        let row = try existingChild(kind, name, ofAccount: nameOrID)
        try write { try Self.replace(attributes.filter { $0.key != kind.nameAttribute }, of: Self.entryID(ofChild: row), in: $0) }
    }

    /// Deletes an identity, a signature or a data source.
    public func deleteChild(_ kind: AccountChild.Kind, named name: String, ofAccount nameOrID: String) throws {
        let row = try existingChild(kind, name, ofAccount: nameOrID)
        try write { try Self.deleteChild(row, in: $0) }
    }

    /// Deletes what is below an account's entry.
    static func deleteChildren(ofAccount id: String, in database: Database) throws {
        for row in try Int64.fetchAll(database, sql: "SELECT id FROM directory_child WHERE account_id = ?", arguments: [id]) {
            try deleteChild(row, in: database)
        }
    }

    static func children(ofAccount id: String, in database: Database) throws -> [AccountChild] {
        let rows = try Row.fetchAll(
            database, sql: "SELECT id, kind FROM directory_child WHERE account_id = ? ORDER BY id", arguments: [id])
        return try rows.compactMap { row in
            guard let kind = AccountChild.Kind(rawValue: row["kind"]) else { return nil }
            return AccountChild(kind, attributes: try attributes(of: entryID(ofChild: row["id"]), in: database))
        }
    }

    private static func deleteChild(_ row: Int64, in database: Database) throws {
        try database.execute(sql: "DELETE FROM directory_child WHERE id = ?", arguments: [row])
        try database.execute(sql: "DELETE FROM directory_attribute WHERE entry_id = ?", arguments: [entryID(ofChild: row)])
    }

    /// How attributes name the entry: ids of the directory's own are unique in an account only.
    private static func entryID(ofChild row: Int64) -> String { "child \(row)" }

    private func child(_ kind: AccountChild.Kind, _ name: String, of account: String) throws -> Int64? {
        try database.read {
            try Int64.fetchOne(
                $0, sql: "SELECT id FROM directory_child WHERE account_id = ? AND kind = ? AND name = ?",
                arguments: [account, kind.rawValue, name])
        }
    }

    private func existingChild(_ kind: AccountChild.Kind, _ name: String, ofAccount nameOrID: String) throws -> Int64 {
        guard let account = try accountID(nameOrID) else { throw missing(nameOrID) }
        guard let row = try child(kind, name, of: account) else {
            throw SandboxError(.noSuchEntry, doing: "the directory", reason: "\(nameOrID) has no \(kind.rawValue) '\(name)'")
        }
        return row
    }
}
