import SystemPackage

/// What `zxbackup.json` says; written once, and sealed like a history's line.
struct StoreIdentity: Sendable, Equatable {
    /// The layout that this program writes.
    static let currentFormat: Int64 = 1
    /// Feature flags that this program understands.
    static let knownFeatures: Set<String> = []

    var formatVersion: Int64 = currentFormat
    var features: [String] = []
    var storeID: String
    var serverID: String

    var bytes: [UInt8] {
        let members: JSONObject = [
            "format": .int(formatVersion), "features": .array(features.map { .string($0) }), "store": .string(storeID),
            "server": .string(serverID),
        ]
        return SealedJSON.encode(members)
    }

    /// Reads the identity and refuses what this program does not understand.
    static func read(_ files: some FileSystem, _ path: BackupPath) throws -> StoreIdentity {
        let doing = "opening the backup path"
        guard let bytes = try files.readSmallFile(path.identity, limit: 1 << 16) else {
            if try holdsZextrasBackup(files, path) {
                throw StoreError(
                    .foreignBackup, doing: doing, subject: path.root.string, remedy: "The folder holds the data of Zextras Backup"
                )
            }
            let isThere = try files.status(path.root) != nil
            throw StoreError(
                .notABackupPath, doing: doing, subject: "\(path.root) " + (isThere ? "has no zxbackup.json" : "does not exist"),
                remedy: "Check the path. zxbackup init makes a backup path in an empty folder or a new one")
        }
        guard let members = try? JSONObject(json: bytes), let format = members["format"]?.int,
            let features = members["features"]?.array?.compactMap(\.string)
        else { throw StoreError(.damaged, doing: doing, subject: path.identity.string, remedy: "Take the file from a copy") }
        let unknown = features.filter { !knownFeatures.contains($0) }
        guard format <= currentFormat, unknown.isEmpty else {
            let what = format > currentFormat ? "has format \(format)" : "uses \(unknown.joined(separator: ", "))"
            throw StoreError(
                .unknownFormat, doing: doing, subject: "\(path.root) \(what)",
                remedy: "This program knows format \(currentFormat); use a newer one")
        }
        guard SealedJSON.decode(bytes) != nil, let storeID = members["store"]?.string, let serverID = members["server"]?.string
        else {
            throw StoreError(.damaged, doing: doing, subject: path.identity.string, remedy: "Take the file from a copy")
        }
        return StoreIdentity(formatVersion: format, features: features, storeID: storeID, serverID: serverID)
    }

    /// Whether a folder looks like the backup path of Zextras Backup: it keeps `accounts`, `items` and `server` as we do, maps
    /// named `map_…`, and files `backupstat` in the account folders, but no `zxbackup.json`.
    static func holdsZextrasBackup(_ files: some FileSystem, _ path: BackupPath) throws -> Bool {
        guard let entries = try? files.list(path.root) else { return false }  // No folder: not theirs.
        let names = Set(entries.map(\.name))
        guard !names.contains("zxbackup.json") else { return false }
        return names.contains("accounts") && !names.isDisjoint(with: ["items", "server", "cos", "domains"])
    }
}

/// Sixteen bytes of the system's random generator, in hexadecimal.
func randomName() -> String {
    var generator = SystemRandomNumberGenerator()
    var bytes: [UInt8] = []
    for _ in 0..<4 { appendHex(UInt32.random(in: 0...UInt32.max, using: &generator), to: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
}
