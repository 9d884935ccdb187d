import GRDB
import SystemPackage

/// What was begun: how a restore that was interrupted is told from an account that somebody else made.
final class RestoreRecords {
    /// A restore into a new account, by the name of that account.
    struct Record: Equatable {
        /// Server and name of the destination.
        var server: String
        var destination: String
        /// Store, account and moment of the source.
        var store: String
        var source: String
        var moment: String
        /// The last commit sequence included: a restore that is continued restores the same mailbox.
        var sequence: UInt64
        /// Id of the account that was made; nil when the intent was recorded and nothing is known of the outcome.
        var account: String?
        var isFinished: Bool
    }

    private let database: DatabaseQueue

    init(folder: FilePath) throws {
        try StateFolder.make(folder)
        database = try StateFolder.database(folder.appending("restores.sqlite"), alone: false)
        try database.write {
            try $0.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS restore (
                        server TEXT NOT NULL, destination TEXT NOT NULL, store TEXT NOT NULL, source TEXT NOT NULL,
                        moment TEXT NOT NULL, sequence INTEGER NOT NULL, account TEXT, finished INTEGER NOT NULL,
                        PRIMARY KEY (server, destination))
                    """)
        }
    }

    func find(server: String, destination: String) throws -> Record? {
        try database.read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT * FROM restore WHERE server = ? AND destination = ?",
                arguments: [server, destination.lowercased()])
            guard let row else { return nil }
            let sequence: Int64 = row["sequence"]
            return Record(
                server: row["server"], destination: row["destination"], store: row["store"], source: row["source"],
                moment: row["moment"], sequence: UInt64(sequence), account: row["account"], isFinished: row["finished"])
        }
    }

    /// Keeps a record, durable when it returns.
    func keep(_ record: Record) throws {
        try database.write {
            try $0.execute(
                sql: """
                    INSERT OR REPLACE INTO restore (server, destination, store, source, moment, sequence, account, finished)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    record.server, record.destination.lowercased(), record.store, record.source, record.moment,
                    Int64(record.sequence), record.account, record.isFinished,
                ])
        }
    }
}
