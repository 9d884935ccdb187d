import BackupStore
import SystemPackage

@testable import BackupCore
@testable import zxbackup

/// Texts of the server, of mail, and of administrators.
enum TextFuzz {
    /// A map is written as a text that reads as the same map.
    static func metadata(_ bytes: [UInt8]) throws {
        guard let map = try? MetadataDictionary(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
        let text = map.text()
        guard let again = try? MetadataDictionary(parsing: text) else { throw FuzzFailure("'\(text)' cannot be read again") }
        guard again == map else { throw FuzzFailure("'\(text)' reads as another map") }
    }

    /// Columns stay within their length; what is read depends on the bytes alone.
    static func mime(_ bytes: [UInt8]) throws {
        let summary = MessageSummary(bytes: bytes)
        guard MessageSummary(bytes: bytes) == summary else { throw FuzzFailure("two readings differ") }
        var row = ItemRow(id: 257, type: .message)
        summary.fill(&row)
        for (name, text) in [("subject", row.subject), ("sender", row.sender), ("name", row.name)] {
            guard let text, text.utf16.count > 1024 else { continue }
            throw FuzzFailure("\(name) has \(text.utf16.count) characters")
        }
        _ = CalendarRequest(String(decoding: bytes, as: UTF8.self))
    }

    /// Any words are a command, or a usage error with words of its own.
    static func commandLine(_ bytes: [UInt8]) throws {
        let words = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        do {
            _ = try Grammar(commands: CommandTable.all).parse(words)
        } catch let error as UsageError {
            guard !error.message.isEmpty else { throw FuzzFailure("an error without words") }
        }
    }

    /// A text is a configuration or an error that names the file.
    static func configuration(_ bytes: [UInt8]) throws {
        do {
            let configuration = try Configuration(yaml: String(decoding: bytes, as: UTF8.self), path: "/etc/zxbackup.yaml")
            guard configuration.backupPath.isAbsolute, configuration.stateFolder.isAbsolute else {
                throw FuzzFailure("a relative path: \(configuration)")
            }
        } catch let error as ConfigurationError {
            guard "\(error)".contains("/etc/zxbackup.yaml") else { throw FuzzFailure("\(error) names no file") }
        }
    }
}
