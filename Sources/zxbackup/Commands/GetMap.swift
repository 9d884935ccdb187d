import BackupCore
import BackupStore
import SystemPackage

/// `getMap`: which item of the backup became which item of the target.
enum GetMap: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let map = IDMapFile(FilePath(try invocation.required("file_path")))
        if invocation.options.json { try writeJSON(map, console) } else { try writeTable(map, console) }
        return .successful
    }

    /// A block for each origin, a line for each item, as they are read (R12).
    private static func writeTable(_ map: IDMapFile, _ console: Console) throws {
        try map.read { origin in
            console.write(
                KeyValueBlock(
                    "idMap",
                    [
                        .pair("store id", origin.storeID), .pair("source account", origin.account),
                        .pair("generation", "\(origin.generation)")
                    ] + (origin.purpose.map { [.pair("restore of single items", $0)] } ?? []) + [.pair("ORIGINAL ID", "NEW ID")]))
        } entry: { entry in
            let target = entry.target.map(String.init) ?? "in flight when the restore was interrupted"
            console.write("\t\t\(pad("\(entry.source)", 60))\(target)\n")
        }
    }

    private static func writeJSON(_ map: IDMapFile, _ console: Console) throws {
        var origins = 0
        var items = 0
        console.write(#"{"maps":["#)
        try map.read { origin in
            var members: JSONObject = [
                "store_id": .string(origin.storeID), "source_account": .string(origin.account),
                "generation": .int(origin.generation)
            ]
            members["purpose"] = origin.purpose.map { .string($0) }
            console.write((origins == 0 ? "" : "]},") + JSONValue.object(members).json.dropLast() + #","items":["#)
            origins += 1
            items = 0
        } entry: { entry in
            let pair: JSONObject = ["original": .int(entry.source), "new": entry.target.map { .int($0) } ?? .null]
            console.write((items == 0 ? "" : ",") + JSONValue.object(pair).json)
            items += 1
        }
        console.write((origins == 0 ? "" : "]}") + "]}\n")
    }
}
