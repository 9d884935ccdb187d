import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

/// Defences of Documentation/ThreatModel.md that take a whole program to show.
@Suite("Threat model: rights, secrets and texts of others, by the built program")
struct SecurityTests {
    // MARK: Rights

    /// Modes of everything below a folder, and of the folder.
    private func modes(_ folder: String) throws -> [String: (mode: mode_t, type: mode_t)] {
        var found: [String: (mode: mode_t, type: mode_t)] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) + ["."] {
            var status = stat()
            // SQLite's side files come and go.
            guard lstat(folder + "/" + name, &status) == 0 else { continue }
            found[name] = (status.st_mode & 0o7777, status.st_mode & S_IFMT)
        }
        return found
    }

    private func expectOwnersOnly(_ folder: String, holding names: [String]) throws {
        let found = try modes(folder)
        for (name, entry) in found {
            let right: mode_t = entry.type == S_IFDIR ? 0o700 : 0o600
            #expect(entry.mode == right, "\(folder)/\(name): \(String(entry.mode, radix: 8))")
            #expect([S_IFDIR, S_IFREG, S_IFSOCK].contains(entry.type), "\(folder)/\(name)")
        }
        for name in names { #expect(found.keys.contains { $0.hasSuffix(name) }, "\(name) is not in \(found.keys.sorted())") }
    }

    @Test("Whatever the umask, folders are 0700 and files 0600: backup path, state folder and export", arguments: ["0", "0777"])
    func umasks(mask: String) throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        let item = try place.server.deliver(Workplace.message("One"), to: ["bob@example.com"])[0].itemID
        let doomed = try place.server.deliver(Workplace.message("Two"), to: ["bob@example.com"])[0].itemID
        try place.server.close()
        func zx(_ words: String...) throws {
            let result = try Program.run(
                "/bin/sh", ["-c", "umask \(mask); exec \"$@\"", "sh", Program.path, "--config", place.config] + words)
            #expect(result.status == 0, "\(words): \(result.errors)")
        }
        try zx("init")
        try zx("serve", "--once")
        try place.server.openMailbox("bob@example.com").delete([doomed])
        try place.server.close()
        try zx("serve", "--once")
        try zx("rebuildIndex")
        try zx("setProperty", "ZxBackup_SpaceThreshold", "100")
        try zx("doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "last")
        try zx("doItemRestore", "bob@example.com", "\(item)")
        try zx("doUndelete", "bob@example.com", "first", "last")
        for format in ["eml", "maildir", "mbox"] {
            let out = place.folder.appending("out-\(format)").string
            try zx("doExportMailbox", "bob@example.com", out, "format", format)
            try expectOwnersOnly(out, holding: ["manifest.jsonl"])
        }
        let list = place.folder.appending("list").string
        try FileManager.default.createDirectory(atPath: list, withIntermediateDirectories: false)
        chmod(list, 0o700)
        try zx("getAvailableAccounts", "output_file", list + "/accounts.txt")
        try expectOwnersOnly(list, holding: ["accounts.txt"])
        try expectOwnersOnly(
            place.backup, holding: ["zxbackup.json", "journal/lock", "journal/instance", "index/index.sqlite", "account_info", "="])
        let state = place.folder.appending("state").string
        try expectOwnersOnly(state, holding: ["properties.sqlite", "restores.sqlite"])

        let service = try Service(place, umask: mask)
        #expect(place.zx("doAccountScan", "bob@example.com").status == .successful)
        try expectOwnersOnly(place.backup, holding: ["index.sqlite-wal", "index.sqlite-shm"])
        try service.wait { FileManager.default.fileExists(atPath: state + "/space.sqlite") }
        try expectOwnersOnly(state, holding: ["serve.sock", "space.sqlite"])
        #expect(service.end() == 0)
    }

    // MARK: Secrets

    @Test("Passwords, keys of guests and secrets of data sources are in no output, report, log or manifest")
    func secrets() throws {
        let place = try Workplace()
        let secrets = (0..<8).map { "s3cret-\($0)-\(UUID().uuidString)" }
        let bob = try place.server.createAccount(
            name: "bob@example.com",
            attributes: ["userPassword": ["{SSHA512}" + secrets[0]], "zimbraAuthTokens": [secrets[1]], "displayName": ["Bob"]])
        _ = try place.server.addChild(
            AccountChild(
                .dataSource,
                attributes: [
                    "zimbraDataSourceName": ["Old"], "zimbraDataSourcePassword": [secrets[2]],
                    "zimbraDataSourceOAuthToken": [secrets[3]],
                ]), toAccount: bob.id)
        let mailbox = try place.server.openMailbox("bob@example.com")
        let folder = try mailbox.createFolder(named: "Shared")
        try mailbox.grant(Grant(granteeType: 7, grantee: "guest@example.net", rights: 1, secret: secrets[4]), onFolder: folder)
        let feed = try mailbox.createFolder(named: "Feed")
        #expect(place.zx("init").status == .successful)
        var printed = [place.zx("serve", "--once")]
        // The rest comes by the log.
        try mailbox.setURL("https://bob:\(secrets[6])@example.org/feed", ofFolder: feed)
        try mailbox.setPermissions(
            [
                Grant(granteeType: 8, grantee: "key", rights: 1, secret: secrets[5]),
                Grant(granteeType: 7, grantee: "guest@example.net", rights: 1, secret: secrets[4]),
            ], onFolder: folder)
        let document = try mailbox.saveDocument(Array("x".utf8), named: "d.txt")
        try mailbox.grant(Grant(granteeType: 7, grantee: "g@example.net", rights: 1, secret: secrets[7]), onDocument: document)
        try mailbox.addRevision(Array("y".utf8), to: document)
        printed.append(place.zx("serve", "--once"))
        try place.server.close()
        let out = place.folder.appending("out").string
        for form in [[], ["--json"]] {
            for words in [
                ["getAccountInfo", bob.id, "date", "all", "backupstats", "true"], ["getItem", bob.id, "\(folder)", "date", "all"],
                ["getItem", bob.id, "\(feed)", "date", "all"], ["getItem", bob.id, "\(document)", "date", "all"],
                ["doItemSearch", bob.id, "search_filter", "all", "type", "all"],
                ["doItemSearch", bob.id, "search_filter", "all", "type", "all", "raw_metadata", "true"],
                ["getAvailableAccounts"], ["getBackupInfo"], ["status"], ["doCoherencyCheck", place.backup], ["getProperty"],
                ["doExportMailbox", bob.id, out + "\(form.count)"],
                ["doRestoreOnNewAccount", bob.id, "new\(form.count)@example.com", "last"], ["doAccountScan", bob.id],
            ] {
                let result = run(["--config", place.config] + form + words)
                #expect(result.status != .usage, "\(words): \(result.errors)")
                printed.append(result)
            }
        }
        var texts = printed.flatMap { [$0.text, $0.errors] }
        for name in ["out0", "out1"] {
            let manifest = try #require(FileManager.default.contents(atPath: place.folder.appending(name + "/manifest.jsonl").string))
            texts.append(String(decoding: manifest, as: UTF8.self))
            #expect(texts.last!.contains("VALUE-BLOCKED"))
        }
        for secret in secrets {
            for text in texts { #expect(!text.contains(secret), "\(secret) in \(text)") }
        }
        // They are kept, and restored.
        let copy = try place.server.openMailbox("new0@example.com")
        let sharedFolder = try #require(try copy.folder(at: "/Shared"))
        let shared = try #require(try copy.item(sharedFolder)?.metadata)
        #expect(shared.contains(secrets[4]) && shared.contains(secrets[5]))
        #expect("\(try place.server.findAccount("new0@example.com") as Any)".contains(secrets[2]))
    }

    // MARK: Texts of others

    /// What would drive a terminal, break or forge a line, or turn the direction of reading.
    private static let odd = "\u{1B}[2J\u{1B}]0;t\u{7}\u{9B}31m\u{85}\r\n\tdeleted  true\u{B}\u{C}\u{8}\u{7F}\u{202E}gpj\u{2066}\u{200F}\u{2028}x"

    @Test("Subjects, senders, names of folders, tags, accounts and files: no listing, report or error passes their controls on")
    func terminal() throws {
        let place = try Workplace()
        let odd = Self.odd
        _ = try place.server.createAccount(name: "bob@example.com", attributes: ["displayName": [odd]])
        let encoded = "=?UTF-8?B?\(base64(Array(odd.utf8)))?="
        let mail = "From: \(encoded) <a@example.com>\r\nTo: bob@example.com\r\nSubject: \(encoded)\r\n\r\nHello\r\n"
        let item = try place.server.deliver(Array(mail.utf8), to: ["bob@example.com"])[0].itemID
        let mailbox = try place.server.openMailbox("bob@example.com")
        let quiet = String(String.UnicodeScalarView(odd.unicodeScalars.filter { $0.value >= 0x7F }))
        let folder = try mailbox.createFolder(named: "F" + quiet)
        try mailbox.move([item], to: folder)
        try mailbox.alterTag("T" + quiet, add: true, of: [item])
        let gone = try place.server.deliver(Array(mail.utf8), to: ["bob@example.com"])[0].itemID
        #expect(place.zx("init").status == .successful)
        var printed = [place.zx("serve", "--once")]
        try mailbox.delete([gone])
        printed.append(place.zx("serve", "--once"))
        try place.server.close()
        let out = place.folder.appending("out").string
        var commands: [[String]] = [
            ["getItem", "bob@example.com", "\(item)", "date", "all"], ["getAccountInfo", "bob@example.com", "backupstats", "true"],
            ["getItem", "bob@example.com", "\(folder)"], ["doItemSearch", "bob@example.com", "search_filter", "all", "type", "all"],
            ["doItemSearch", "bob@example.com", "search_filter", "all", "type", "all", "raw_metadata", "true"],
            ["getAvailableAccounts"], ["getAvailableDomains", "last", place.backup], ["getBackupInfo"], ["status"], ["getProperty"],
            ["getProperty", odd], ["setProperty", odd, odd], ["getMap", out + odd], ["doCoherencyCheck", odd], ["getBackupInfo", "backup_path", odd],
            ["doUndelete", "bob@example.com", "first", "last"], ["doItemRestore", "bob@example.com", "\(item)", "restore_folder", "/R" + odd],
            ["doExportMailbox", "bob@example.com", out], ["doExportMailbox", odd, out], ["doAccountScan", odd],
            ["doAccountScan", "bob@example.com"], ["doRestoreOnNewAccount", "bob@example.com", "b2@example.com", "last"],
            ["doRestoreDeletedAccount", odd, "b3@example.com"], [odd],
        ]
        // A file that somebody put into the backup path, with a name of that kind.
        try Data().write(to: URL(fileURLWithPath: place.backup + "/items/" + odd))
        commands.append(["doCoherencyCheck", place.backup])
        for words in commands {
            for form in [[], ["--json"]] { printed.append(run(["--config", place.config] + form + words)) }
        }
        // These print by themselves.
        for words in [["verify", "redolog"], ["dump", "redolog/redo.log"], ["dump", "none" + odd]] {
            let result = try BuiltProgram.run(["redolog"] + words, in: place.folder.appending("server").string)
            printed.append((.successful, String(decoding: result.output, as: UTF8.self), result.errors))
        }
        for (number, result) in printed.enumerated() {
            let words = number < 2 ? "serve" : number >= printed.count - 3 ? "redolog" : "\(commands[(number - 2) / 2])"
            for text in [result.text, result.errors] {
                let passed = text.unicodeScalars.first { scalar in
                    scalar.value < 0x20 && scalar != "\n" && scalar != "\t" || (0x7F...0x9F).contains(scalar.value)
                        || ["\u{202E}", "\u{2066}", "\u{200F}", "\u{2028}"].contains(scalar)
                }
                #expect(passed == nil, "\(words) \(passed?.escaped(asASCII: true) ?? ""): \(text.debugDescription)")
                #expect(!text.contains("\n\tdeleted  true"), "a forged line: \(words): \(text.debugDescription)")
            }
        }
    }
}
