import BackupCore
import GRDB
import RedoLog

/// The directory: domains, classes of service, accounts, each with attributes by their LDAP names.
extension SandboxServer {
    /// Creates a domain and returns its id.
    @discardableResult
    public func createDomain(_ name: String, attributes: [String: [String]] = [:]) throws -> String {
        guard Names.isAddress("x@" + name) else {
            throw SandboxError(.invalidName, doing: "creating a domain", reason: "\"\(name)\" is no domain's name")
        }
        return try createEntry("domain", name: name.lowercased(), attributes: attributes) { id in
            ["zimbraId": [id], "zimbraDomainName": [name.lowercased()], "zimbraDomainType": ["local"], "zimbraDomainStatus": ["active"]]
        }
    }

    /// Creates a class of service and returns its id.
    @discardableResult
    public func createCOS(_ name: String, attributes: [String: [String]] = [:]) throws -> String {
        try createEntry("cos", name: name, attributes: attributes) { id in ["zimbraId": [id], "cn": [name]] }
    }

    /// Creates an account; its domain is created where there is none.
    public func createAccount(name: String, attributes: [String: [String]] = [:]) throws -> AccountEntry {
        guard Names.isAddress(name) else {
            throw SandboxError(.invalidName, doing: "creating an account", reason: "\"\(name)\" is no address")
        }
        let address = name.lowercased()
        let domain = String(address.split(separator: "@")[1])
        if try entryID("domain", domain) == nil { try createDomain(domain) }
        let now = options.clock()
        let host = identity.name
        let id = try createEntry("account", name: address, attributes: attributes) { id in
            [
                "zimbraId": [id], "uid": [String(address.split(separator: "@")[0])], "mail": [address],
                "zimbraMailDeliveryAddress": [address], "zimbraMailHost": [host], "zimbraAccountStatus": ["active"],
                "zimbraMailStatus": ["enabled"], "zimbraDumpsterEnabled": ["FALSE"], "zimbraMailTrashLifetime": ["30d"],
                "zimbraMailSpamLifetime": ["30d"], "zimbraMailMessageLifetime": ["0"], "zimbraMailDumpsterLifetime": ["30d"],
                "zimbraMailThreadingAlgorithm": ["revsubj"], "zimbraCreateTimestamp": [Self.generalizedTime(now)],
            ]
        }
        guard let entry = try findAccount(id) else { preconditionFailure("the account was created") }
        return entry
    }

    /// Replaces attributes of an account; an empty list removes one.
    public func modifyAccount(_ accountID: String, attributes: [String: [String]]) throws {
        guard let id = try self.accountID(accountID) else { throw missing(accountID) }
        try write { try Self.replace(attributes, of: id, in: $0) }
    }

    static func replace(_ attributes: [String: [String]], of id: String, in database: Database) throws {
        for (name, values) in attributes.sorted(by: { $0.key < $1.key }) {
            try database.execute(sql: "DELETE FROM directory_attribute WHERE entry_id = ? AND name = ?", arguments: [id, name])
            try insert(values, name, id, in: database)
        }
    }

    /// Gives an account another address; the old one stays as an alias, and the mailbox notes the new one.
    public func renameAccount(_ nameOrID: String, to name: String) throws {
        guard let entry = try findAccount(nameOrID) else { throw missing(nameOrID) }
        guard Names.isAddress(name) else {
            throw SandboxError(.invalidName, doing: "renaming \(entry.name)", reason: "\"\(name)\" is no address")
        }
        let address = name.lowercased()
        if let other = try accountID(address), other != entry.id {
            throw SandboxError(.alreadyExists, doing: "renaming \(entry.name)", reason: "\(address) is taken")
        }
        try write { database in
            try database.execute(sql: "UPDATE directory_account SET name = ? WHERE id = ?", arguments: [address, entry.id])
        }
        try modifyAccount(
            entry.id,
            attributes: [
                "uid": [String(address.split(separator: "@")[0])], "mail": [address], "zimbraMailDeliveryAddress": [address],
                "zimbraMailAlias": (entry.attributes["zimbraMailAlias"] ?? []).filter { $0 != address } + [entry.name],
            ])
        if let mailbox = try mailboxID(ofAccount: entry.id) {
            try change(mailbox) { change in
                change.state.row.comment = address
                var logged = RenameMailbox()
                logged.newName = LogText(address)
                return ((), Logged(.renameMailbox(logged)))
            }
        }
    }

    /// Deletes an account: its mailbox first, then its entry.
    public func deleteAccount(_ nameOrID: String) throws {
        guard let id = try accountID(nameOrID) else { throw missing(nameOrID) }
        if try mailboxID(ofAccount: id) != nil { try deleteMailbox(ofAccount: id) }
        try write { database in
            try database.execute(sql: "DELETE FROM directory_account WHERE id = ?", arguments: [id])
            try database.execute(sql: "DELETE FROM directory_attribute WHERE entry_id = ?", arguments: [id])
            try Self.deleteChildren(ofAccount: id, in: database)
        }
    }

    /// Every domain: name → attributes.
    public func domains() throws -> [String: [String: [String]]] { try entries("domain") }

    /// Every class of service: name → attributes.
    public func classesOfService() throws -> [String: [String: [String]]] { try entries("cos") }

    private func entries(_ kind: String) throws -> [String: [String: [String]]] {
        try database.read { database in
            var result: [String: [String: [String]]] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT id, name FROM directory_\(kind)") {
                result[row["name"]] = try Self.attributes(of: row["id"], in: database)
            }
            return result
        }
    }

    private func createEntry(
        _ kind: String, name: String, attributes: [String: [String]], defaults: (String) -> [String: [String]]
    ) throws -> String {
        guard try entryID(kind, name) == nil, try kind != "account" || accountID(name) == nil else {
            throw SandboxError(.alreadyExists, doing: "creating \(kind) \(name)", reason: "there is one already")
        }
        let id = attributes["zimbraId"]?.first?.lowercased() ?? UUIDText.random()
        let all = defaults(id).merging(attributes.filter { $0.key != "zimbraId" }) { $1 }
        try write { database in
            try database.execute(sql: "INSERT INTO directory_\(kind) (id, name) VALUES (?, ?)", arguments: [id, name])
            for (attribute, values) in all.sorted(by: { $0.key < $1.key }) {
                try Self.insert(values, attribute, id, in: database)
            }
        }
        return id
    }

    private static func insert(_ values: [String], _ name: String, _ id: String, in database: Database) throws {
        for (position, value) in values.enumerated() {
            try database.execute(
                sql: "INSERT INTO directory_attribute (entry_id, name, position, value) VALUES (?, ?, ?, ?)",
                arguments: [id, name, position, value])
        }
    }

    /// The directory is no part of the redo log: an own transaction, nothing logged.
    func write(_ body: (Database) throws -> Void) throws {
        try exclusively { database, _ in
            try database.inTransaction(.immediate) {
                try body(database)
                return .commit
            }
            forgetDirectory()
        }
    }

    private func entryID(_ kind: String, _ name: String) throws -> String? {
        try database.read {
            try String.fetchOne($0, sql: "SELECT id FROM directory_\(kind) WHERE name = ? OR id = ?", arguments: [name, name])
        }
    }

    func missing(_ name: String) -> SandboxError {
        SandboxError(.noSuchEntry, doing: "the directory", reason: "there is no account \(name)")
    }

    /// The id of the account with a name, alias or id.
    func accountID(_ nameOrID: String) throws -> String? {
        let key = nameOrID.lowercased()
        return try cachedAddress(key) { database in
            if let id = try String.fetchOne(
                database, sql: "SELECT id FROM directory_account WHERE name = ? OR id = ?", arguments: [key, key])
            {
                return id
            }
            return try String.fetchOne(
                database,
                sql: """
                    SELECT id FROM directory_account JOIN directory_attribute ON entry_id = id
                    WHERE directory_attribute.name = 'zimbraMailAlias' AND value = ? COLLATE NOCASE
                    """,
                arguments: [key])
        }
    }

    /// The account's entry with those below it; nil when there is none with this id.
    static func account(_ id: String, in database: Database) throws -> AccountEntry? {
        let name = try String.fetchOne(database, sql: "SELECT name FROM directory_account WHERE id = ?", arguments: [id])
        guard let name else { return nil }
        return AccountEntry(
            id: id, name: name, attributes: try attributes(of: id, in: database),
            children: try children(ofAccount: id, in: database))
    }

    static func attributes(of id: String, in database: Database) throws -> [String: [String]] {
        var result: [String: [String]] = [:]
        let rows = try Row.fetchAll(
            database, sql: "SELECT name, value FROM directory_attribute WHERE entry_id = ? ORDER BY name, position", arguments: [id])
        for row in rows { result[row["name"], default: []].append(row["value"]) }
        return result
    }

    /// `20261124093000Z`, the directory's form of a time in milliseconds.
    static func generalizedTime(_ milliseconds: Int64) -> String {
        let seconds = milliseconds / 1000
        let days = seconds / 86400
        // Civil date from days since 1970 (proleptic Gregorian, eras of 400 years).
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        let civilYear = year + era * 400 + (civilMonth <= 2 ? 1 : 0)
        func pad(_ value: Int64, _ digits: Int) -> String {
            let text = "\(value)"
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        let time = seconds % 86400
        return pad(civilYear, 4) + pad(civilMonth, 2) + pad(day, 2) + pad(time / 3600, 2) + pad(time / 60 % 60, 2) + pad(time % 60, 2) + "Z"
    }
}
