import GRDB

extension Database {
    /// An immediate transaction like `inTransaction(.immediate)`, without parsing its two statements each time.
    func inPreparedTransaction(_ body: () throws -> Void) throws {
        try cachedStatement(sql: "BEGIN IMMEDIATE TRANSACTION").execute()
        do {
            try body()
            try cachedStatement(sql: "COMMIT TRANSACTION").execute()
        } catch {
            if isInsideTransaction { try rollback() }
            throw error
        }
    }
}
