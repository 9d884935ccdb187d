import BackupCore
import BackupStore
import SystemPackage

/// `completion`: a script for a shell; and what the script asks for while a line is typed.
enum Completion: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        guard let shell = CompletionScript.Shell(rawValue: try invocation.required("shell").lowercased()) else {
            throw UsageError("bash, zsh or fish is expected", invocation.command)
        }
        if let line = invocation["line"] {
            console.write(CompletionOffer(TypedLine(line), accounts: accounts).lines)
        } else {
            console.write(CompletionScript.text(for: shell))
        }
        return .successful
    }

    /// The accounts of a backup path.
    ///
    /// None where they cannot be looked up at once: somebody is typing, and an error of the command itself comes soon enough.
    private static func accounts(_ options: GlobalOptions, _ backupPath: String?) -> [String] {
        do {
            let path = try backupPath.map { FilePath($0) } ?? Configuration(options).backupPath
            guard let store = try StoreReader(openingIndexOf: path) else { return [] }
            defer { store.close() }
            let names = try store.accounts().compactMap { try BackedUpAccount($0, in: store)?.entry.name }
            return Set(names).filter(isPlain).sorted()
        } catch {
            return []
        }
    }

    /// Whether a shell reads the name as it is: it comes from the mail server, and is put on a command line.
    private static func isPlain(_ name: String) -> Bool {
        name.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || ("0"..."9").contains($0) || "@._-+=%".unicodeScalars.contains($0)
        }
    }
}
