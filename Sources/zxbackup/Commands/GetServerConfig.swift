#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupCore
import BackupStore
import SystemPackage
import ZimbraServer

/// `getServerConfig`: the server's configuration as it is or was, and the archives of its files.
enum GetServerConfig: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        if invocation["type"]?.lowercased() == "customizations" {
            if let given = ["query", "file"].first(where: { invocation[$0] != nil }) {
                throw UsageError("getServerConfig customizations: \(given) is a parameter of getServerConfig standard", invocation.command)
            }
            return try CustomizationsOutput(invocation, console).run()
        }
        return try ConfigurationOutput(invocation, console).run()
    }

    /// Milliseconds since 1970 as `dd/MM/yyyy HH:mm:ss` and the name of the time zone.
    static func zoned(_ time: Int64) -> String {
        var seconds = time_t(time / 1000)
        var fields = tm()
        guard localtime_r(&seconds, &fields) != nil, let zone = fields.tm_zone else { return TimeText.local(time) }
        return "\(TimeText.local(time)) \(String(cString: zone))"
    }
}

extension ServerArchive {
    /// Where the file is.
    func path(in backupPath: FilePath) -> String { backupPath.appending("server").appending(name).string }
}

/// `standard`.
private struct ConfigurationOutput {
    /// Key and value are filled up to so many columns.
    private static let width = 121

    private let invocation: Invocation
    private let console: Console
    private let isVerbose: Bool

    init(_ invocation: Invocation, _ console: Console) {
        (self.invocation, self.console) = (invocation, console)
        isVerbose = invocation.flag("verbose")
    }

    func run() throws -> CommandStatus {
        let text = invocation["query"]
        let answers = try answers(ConfigurationQuery(text ?? "/"))
        if invocation.options.json {
            console.write(.object(["configuration": .array(answers.map(json))]))
        } else if text == nil, !isVerbose {
            overview(answers)
        } else {
            show(answers)
        }
        guard answers.isEmpty else { return .successful }
        console.errors("nothing of the configuration that is kept answers to that\n")
        return .failed
    }

    private func answers(_ query: ConfigurationQuery) throws -> [ConfigurationQuery.Answer] {
        if let file = invocation["file"] {
            var answers: [ConfigurationQuery.Answer] = []
            try DirectoryDumpFile(FilePath(file)).forEachEntry { entry, time in
                if let answer = query.answer(entry, time: time) { answers.append(answer) }
            }
            return answers
        }
        let moment: ConfigurationQuery.Moment
        switch try invocation.date("date") {
        case .second(let second):
            try RestoreMoment.refuseFuture(second)
            moment = .second(second)
        case .word("all"): moment = .all
        case .change:
            throw UsageError("getServerConfig: a change number is of one mailbox, and no date of the configuration", invocation.command)
        default: moment = .last
        }
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        return try query.answers(at: moment, in: store)
    }

    /// The sections and what is in them.
    private func overview(_ answers: [ConfigurationQuery.Answer]) {
        var block = KeyValueBlock("configuration")
        for section in ConfigurationQuery.Section.allCases {
            let names = Set(answers.filter { $0.section == section }.map(\.entry.name)).sorted()
            if !names.isEmpty { block.add(section.rawValue, names.joined(separator: ", ")) }
        }
        console.write(block)
    }

    private func show(_ answers: [ConfigurationQuery.Answer]) {
        let hasManyEntries = Set(answers.map(\.entry.key)).count > 1
        let hasManyNames = Set(answers.flatMap { $0.attributes.map(\.name) }).count > 1
        var time: Int64?
        for answer in answers {
            if time != answer.time {
                line("config date", GetServerConfig.zoned(answer.time))
                time = answer.time
            }
            if isVerbose {
                line("section", answer.section.rawValue)
                line("id", answer.entry.id)
                line("dn", answer.entry.dn)
            }
            if answer.isDeleted {
                line(answer.entry.name, "deleted")
                continue
            }
            for (name, values) in answer.attributes {
                let key = hasManyNames ? (hasManyEntries ? "\(answer.entry.name)/\(name)" : name) : answer.entry.name
                let values = SecretAttributes.contains(name) ? [SecretAttributes.placeholder] : values
                for value in values { line(key, value) }
            }
        }
    }

    private func line(_ key: String, _ value: String) {
        let (key, value) = (ShownText.line(key), ShownText.line(value))
        let rest = String(repeating: "_", count: max(4, Self.width - key.count - value.count))
        if invocation.flag("colors") { console.writeColoured(key) } else { console.write(key) }
        console.write(rest + value + "\n")
    }

    private func json(_ answer: ConfigurationQuery.Answer) -> JSONValue {
        .object([
            "section": .string(answer.section.rawValue), "name": .string(answer.entry.name), "id": .string(answer.entry.id),
            "dn": .string(answer.entry.dn), "start_date": .string(TimeText.iso(answer.time)), "deleted": .bool(answer.isDeleted),
            "attributes": .object(
                JSONObject(answer.attributes.map { .init(name: $0.name, value: .array($0.values.map { .string($0) })) }).withoutSecrets),
        ])
    }
}

/// `customizations`.
private struct CustomizationsOutput {
    private let invocation: Invocation
    private let console: Console

    init(_ invocation: Invocation, _ console: Console) { (self.invocation, self.console) = (invocation, console) }

    func run() throws -> CommandStatus {
        let (store, path) = try invocation.openReader()
        defer { store.close() }
        var archives = try store.archives().filter { $0.kind == .customizations }
        switch try invocation.date("date") {
        case .word("all"): break
        case .second(let second):
            try RestoreMoment.refuseFuture(second)
            archives = archives.filter { $0.time <= second * 1000 + 999 }.suffix(1)
        default: archives = archives.suffix(1)
        }
        if invocation.options.json {
            console.write(
                .object([
                    "archives": .array(
                        archives.map {
                            .object([
                                "filename": .string($0.name), "path": .string($0.path(in: path)), "modify_date": .string(TimeText.iso($0.time)),
                                "bytes": .int($0.content.stored),
                            ])
                        })
                ]))
        } else if !archives.isEmpty {
            if invocation.flag("verbose") {
                console.write(
                    "WARNING: the archives hold the server's conf/ and postfix/conf/ folders. They can only be restored by hand:\n"
                        + "tar -xzf ARCHIVE -C FOLDER, and compare before anything of it replaces what the server has.\n\n")
            }
            console.write(KeyValueBlock("archives", archives.map { archive in
                var block = KeyValueBlock(archive.name, [.pair("filename", archive.name)])
                if invocation.flag("verbose") { block.add("path", archive.path(in: path)) }
                block.add("modify date", GetServerConfig.zoned(archive.time))
                return .block(block)
            }))
        }
        guard archives.isEmpty else { return .successful }
        console.errors("no archive of the server's configuration files is kept from then. doBackupServerCustomizations makes one\n")
        return .failed
    }
}
