import BackupCore
import BackupStore

/// `init`: makes a backup path for the configured server.
enum Init: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        let path = invocation.backupPath(configuration)
        let source = try configuration.openSource()
        try StoreWriter.create(path, serverID: source.identity.id)
        if invocation.options.json {
            console.write(JSONValue.object([
                "backup_path": .string(path.string), "server_id": .string(source.identity.id), "server_name": .string(source.identity.name),
            ]))
        } else {
            console.write(KeyValueBlock("backup path made", [
                .pair("path", path.string), .pair("server", source.identity.name), .pair("server id", source.identity.id),
            ]))
        }
        return .successful
    }
}
