#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import GRDB
import SystemPackage

/// An id map of the state folder, for looking at: which item of the backup became which item of the target.
public struct IDMapFile: Sendable {
    /// Where the maps lie in a state folder.
    public static func folder(of stateFolder: FilePath) -> FilePath { stateFolder.appending("idmaps") }

    /// Where items came from: what a restore was asked for.
    public struct Origin: Hashable, Sendable {
        /// Of the backup path.
        public var storeID: String
        /// The account in the backup.
        public var account: String
        /// The life of its mailbox; 0 = unknown.
        public var generation: Int64
        /// With which parameters the restore of single items was asked for; nil = a whole mailbox.
        public var purpose: String?
    }

    /// One item.
    public struct Entry: Hashable, Sendable {
        /// Its id in the backup.
        public var source: Int64
        /// Its id in the target; nil = it was about to be written when the restore was interrupted.
        public var target: Int64?
    }

    private let path: FilePath

    /// A map at a path.
    public init(_ path: FilePath) { self.path = path }

    /// Hands out all items by origin and id.
    ///
    /// - Throws: `CoreError` for a file that is no id map, or is in use by a restore.
    public func read(origin: (Origin) throws -> Void, entry: (Entry) throws -> Void) throws {
        guard access(path.string, R_OK) == 0 else { throw failure("it cannot be read", cause: Errno(rawValue: errno)) }
        var configuration = Configuration()
        configuration.readonly = true
        do {
            let database = try DatabaseQueue(path: path.string, configuration: configuration)
            try database.read { database in
                for row in try Row.fetchAll(database, sql: "SELECT id, name FROM origin ORDER BY name") {
                    let id: Int64 = row["id"]
                    try origin(Origin(name: row["name"]))
                    let entries = try Row.fetchCursor(
                        database, sql: "SELECT source, target FROM item WHERE origin = ? ORDER BY source", arguments: [id])
                    while let row = try entries.next() { try entry(Entry(source: row["source"], target: row["target"])) }
                }
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw failure("a restore is writing it", remedy: "Wait until it ends", cause: nil)
        } catch let error as DatabaseError {
            throw failure("it is no id map of a restore", cause: error)
        }
    }

    private func failure(_ reason: String, remedy: String? = nil, cause: (any Error)?) -> CoreError {
        CoreError(
            CoreError.Code("idMap"), doing: "reading an id map", subject: path.string, reason: reason,
            remedy: remedy ?? "Id maps are the files idmaps/*.sqlite of the state folder", cause: cause)
    }
}

extension IDMapFile.Origin {
    /// Reads `<store>/<account>/<generation>[/<purpose>]`, as restores name what they read.
    init(name: String) {
        let parts = name.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).map(String.init)
        storeID = parts[0]
        account = parts.count > 1 ? parts[1] : ""
        generation = parts.count > 2 ? Int64(parts[2]) ?? 0 : 0
        purpose = parts.count > 3 ? parts[3] : nil
    }
}
