import BackupCore
import BackupStore
import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import zxbackup

@Suite("Notifications")
struct NotificationTests {
    private let folder = FilePath(FileManager.default.temporaryDirectory.appendingPathComponent("zxbackup-note-\(UUID().uuidString)").path)

    private func configuration(_ extra: String = "") throws -> Configuration {
        try Configuration(yaml: "server: {kind: sandbox, path: server}\nstateFolder: state\n" + extra, path: folder.appending("z.yaml").string)
    }

    private func remove() { try? FileManager.default.removeItem(atPath: folder.string) }
    private var log: String { (try? String(contentsOfFile: folder.appending("state/notifications.log").string, encoding: .utf8)) ?? "" }

    private func operation(_ parameters: [String: String] = [:]) -> QueuedOperation {
        QueuedOperation(id: "6f1c2a4e-58a7-4f2e-9d3b-0d2c5a1e7b90", command: "doSmartScan", parameters: parameters, asker: "root", time: 1)
    }

    @Test("The log has a paragraph for the beginning and one for the end, with id, parameters, duration and statistics")
    func paragraphs() throws {
        defer { remove() }
        let complaints = Mutex<[String]>([])
        let notifier = Notifier(try configuration()) { text in complaints.withLock { $0.append(text) } }
        let console = CapturedConsole()
        let status = notifier.telling(of: operation(["deep": "true"]), console.console) { console in
            console.write("\tsmartScan\n\n- stats -\nNew Accounts: 1\n")
            console.errors("item 5: \u{1B}[31mgone\n")
            return .failed
        }
        notifier.finish()
        #expect(status == .failed && console.text.contains("New Accounts: 1") && console.errors.contains("item 5"), "the console hears all")
        let lines = log.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines[0].hasSuffix(" Information doSmartScan started"))
        for line in ["Operation id: 6f1c2a4e-58a7-4f2e-9d3b-0d2c5a1e7b90", "Asked for by: root", "Parameter deep: true", "Version: zxbackup \(ProgramVersion.text)"] {
            #expect(lines.count { $0 == "\t" + line } == 2, "\(line)")
        }
        #expect(lines.contains { $0.hasSuffix(" Error doSmartScan failed") })
        #expect(lines.contains("\tFollow it with: zxbackup monitor 6f1c2a4e-58a7-4f2e-9d3b-0d2c5a1e7b90"))
        #expect(lines.contains("\t- stats -") && lines.contains("\tNew Accounts: 1") && lines.contains { $0.hasPrefix("\tDuration: 0.") })
        #expect(!log.contains("smartScan\n") && !log.contains("\u{1B}"), "only the statistics; no name drives a terminal")
        #expect(complaints.withLock { $0.isEmpty })
    }

    @Test("An operation that fails with an error tells why, and the error goes on")
    func failure() throws {
        defer { remove() }
        let notifier = Notifier(try configuration()) { _ in }
        let stopped = CoreError(.stopped, doing: "scanning", subject: "x", reason: "stopped by request", remedy: "")
        #expect(throws: CoreError.self) {
            try notifier.telling(of: operation(), CapturedConsole().console) { _ in throw stopped }
        }
        #expect(throws: UnknownOperation.self) {
            try notifier.telling(of: operation(), CapturedConsole().console) { _ in throw UnknownOperation(id: "7") }
        }
        #expect(log.contains(" Warning doSmartScan was stopped\n") && log.contains(" Error doSmartScan failed\n") && log.contains("\tno operation 7 "))
    }

    @Test("What cannot wait is told at once, and the next ten minutes of it together; a clock that was set back holds nothing up")
    func critical() throws {
        defer { remove() }
        let notifier = Notifier(try configuration()) { _ in }
        let now = milliseconds()
        notifier.tellCritical("Critical: one")
        notifier.tellCritical("Critical: two")
        notifier.tellCritical("Critical: three")
        #expect(log.contains("one") && !log.contains("two"))
        notifier.sendCritical(at: now + 500_000)
        #expect(!log.contains("two"))
        notifier.sendCritical(at: now + 700_000)
        #expect(log.contains("\tCritical: two\n\tCritical: three\n") && log.contains(" Critical needs attention\n"))
        notifier.tellCritical("Critical: four")
        notifier.sendCritical(at: now - 86_400_000)
        #expect(log.contains("four"))
        notifier.sendCritical(at: now)
        #expect(log.components(separatedBy: "four").count == 2, "once")
    }

    @Test("A log that grew too long begins anew; four old ones are kept, and one may be renamed at any time")
    func rotation() throws {
        defer { remove() }
        let notifier = Notifier(try configuration()) { _ in }
        let state = folder.appending("state")
        try FileManager.default.createDirectory(atPath: state.string, withIntermediateDirectories: true)
        let log = state.appending("notifications.log").string
        for round in 0..<6 {
            notifier.tellCritical("Critical: round \(round)")
            notifier.sendCritical(at: milliseconds() + Int64(round + 1) * 3_600_000)
            #expect(truncate(log, Int(Notifier.longestLog)) == 0)
        }
        notifier.sendCritical(at: milliseconds() + 86_400_000)
        let names = try FileManager.default.contentsOfDirectory(atPath: state.string).sorted()
        #expect(names == ["notifications.log"] + (1...4).map { "notifications.log.\($0)" })
        rename(log, log + ".elsewhere")
        _ = notifier.telling(of: operation(), CapturedConsole().console) { _ in .successful }
        #expect(self.log.contains("doSmartScan ended"))
        #expect(try FileManager.default.attributesOfItem(atPath: log)[.posixPermissions] as? Int == 0o600)
    }

    @Test("A log that cannot be written is told of, and stops no operation; a link in its place is not followed")
    func unwritable() throws {
        defer { remove() }
        let complaints = Mutex<[String]>([])
        let state = folder.appending("state")
        try FileManager.default.createDirectory(atPath: state.string, withIntermediateDirectories: true)
        let victim = folder.appending("victim").string
        try Data("mine".utf8).write(to: URL(fileURLWithPath: victim))
        try FileManager.default.createSymbolicLink(atPath: state.appending("notifications.log").string, withDestinationPath: victim)
        let notifier = Notifier(try configuration()) { text in complaints.withLock { $0.append(text) } }
        #expect(notifier.telling(of: operation(), CapturedConsole().console) { _ in .successful } == .successful)
        #expect(complaints.withLock { $0.count } == 2)
        #expect(try String(contentsOfFile: victim, encoding: .utf8) == "mine")
    }

    @Test("A long answer is cut, not kept in memory whole")
    func long() throws {
        defer { remove() }
        let notifier = Notifier(try configuration()) { _ in }
        _ = notifier.telling(of: operation(), CapturedConsole().console) { console in
            for _ in 0..<1000 { console.write(String(repeating: "x", count: 1000) + "\n") }
            return .successful
        }
        #expect(log.utf8.count < 64 * 1024)
    }

    @Test("The configuration names sender, recipients and server; what is none is refused with its name")
    func settings() throws {
        let full = try configuration("notifications: {from: a@b.c, to: [d@e.f, g@h.i], smtp: 'smtp://localhost:25'}\n").notifications
        #expect(full == NotificationSettings(sender: "a@b.c", recipients: ["d@e.f", "g@h.i"], smtp: "smtp://localhost:25"))
        #expect(try configuration("notifications: {to: d@e.f}\n").notifications.recipients == ["d@e.f"])
        for (text, word) in [
            ("{from: nobody}", "'nobody' is no address"), ("{to: [a@b.c, 'x y@z']}", "'x y@z' is no address"), ("{smtp: localhost}", "smtp://host:port"),
            ("{mail: a@b.c}", "'mail'"), ("yes", "notifications: {from"), ("{to: \"a@b.c\\nRCPT TO:<x@y>\"}", "is no address"),
        ] {
            let error = #expect(throws: ConfigurationError.self) { try configuration("notifications: \(text)\n") }
            #expect(error?.description.contains(word) == true, "\(text): \(String(describing: error))")
        }
    }

    @Test("What can be an address", arguments: [
        ("a@b", true), ("john.doe+x@example.com", true), ("", false), ("a", false), ("a@", false), ("@b", false), ("a@b@c", false),
        ("a b@c", false), ("a@b>", false), ("a@b\r\nDATA", false), ("ä@b", false), ("a,b@c", false),
    ])
    func addresses(_ text: String, _ isAddress: Bool) {
        #expect(NotificationSettings.isAddress(text) == isAddress)
        let command = run(["doSmartScan", "notifications", text.isEmpty ? "," : text, "--help"])
        #expect(command.status == .successful)
    }

    @Test("A mail's header takes any subject, and no subject makes another header")
    func mail() throws {
        let mail = String(
            decoding: MailText.compose(
                from: "a@b.c", to: ["d@e.f", "g@h.i"], subject: "Größe\r\nBcc: x@y.z", text: "Zeile\n.\nÄ\n" + String(repeating: "y", count: 2000)),
            as: UTF8.self)
        let parts = mail.components(separatedBy: "\r\n\r\n")
        let header = parts[0].replacingOccurrences(of: "\r\n ", with: " ").replacingOccurrences(of: "\r\n\t", with: " ").components(separatedBy: "\r\n")
        func lines(_ name: String) -> [String] { header.filter { $0.lowercased().hasPrefix(name.lowercased() + ":") } }
        #expect(lines("From") == ["From: a@b.c"] && lines("To") == ["To: d@e.f, g@h.i"], "\(header)")
        #expect(lines("Subject").count == 1 && lines("Subject")[0].contains("=?") && lines("Bcc").isEmpty)
        #expect(lines("Date").count == 1 && lines("Message-Id").count == 1 && lines("Auto-Submitted") == ["Auto-Submitted: auto-generated"])
        #expect(mail.split(separator: "\r\n").allSatisfy { $0.utf8.count <= 998 && !$0.utf8.contains(10) })
        #expect(mail.utf8.allSatisfy { $0 < 0x80 })
    }

    // MARK: A real server of SMTP

    /// Exim, which takes mail into its queue.
    private final class Exim {
        let folder: FilePath
        let port: Int
        private let process = Process()

        /// - Parameter tls: whether it offers STARTTLS, with a certificate that nobody has signed.
        init(tls: Bool) throws {
            folder = FilePath(FileManager.default.temporaryDirectory.appendingPathComponent("zxbackup-exim-\(UUID().uuidString.prefix(8))").path)
            port = Int.random(in: 20_000..<30_000)
            try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
            chmod(folder.string, 0o777)
            var lines = [
                "primary_hostname = mail.test", "spool_directory = \(folder)/spool", "log_file_path = \(folder)/%slog",
                "pid_file_path = \(folder)/pid", "queue_only = true", "acl_smtp_rcpt = rcpt", "keep_environment =",
            ]
            if tls {
                let made = try Program.run(
                    "/usr/bin/openssl",
                    [
                        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mail.test", "-keyout", "\(folder)/key",
                        "-out", "\(folder)/cert",
                    ])
                guard made.status == 0 else { throw Failure(words: made.errors) }
                chmod("\(folder)/key", 0o644)
                lines += ["tls_advertise_hosts = *", "tls_certificate = \(folder)/cert", "tls_privatekey = \(folder)/key"]
            } else {
                lines.append("tls_advertise_hosts =")
            }
            lines += [
                "begin acl", "rcpt:", "  deny condition = ${if eq{$local_part}{refused}}", "       message = there is nobody of this name",
                "  accept", "begin routers", "none:", "  driver = redirect", "  data = :blackhole:",
            ]
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: "\(folder)/conf"))
            process.executableURL = URL(fileURLWithPath: "/usr/sbin/exim4")
            process.arguments = ["-C", "\(folder)/conf", "-bdf", "-oX", "127.0.0.1.\(port)"]
            process.standardError = FileHandle.nullDevice
            try process.run()
            while !isListening {
                guard process.isRunning else { throw Failure(words: "exim ended: \(log("mainlog")) \(log("paniclog"))") }
                usleep(20_000)
            }
        }

        deinit {
            // A child inherits the signals that the thread blocked which started it: exim may not hear SIGTERM.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            try? FileManager.default.removeItem(atPath: folder.string)
        }

        private var isListening: Bool {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
            return withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            } == 0
        }

        func log(_ name: String) -> String { (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? "" }

        /// Header and text of each mail in its queue.
        var mails: [(envelope: String, text: String)] {
            let input = "\(folder)/spool/input"
            let names = ((try? FileManager.default.contentsOfDirectory(atPath: input)) ?? []).filter { $0.hasSuffix("-H") }.sorted()
            return names.map { name in
                let body = input + "/" + name.dropLast(2) + "-D"
                return ((try? String(contentsOfFile: input + "/" + name, encoding: .utf8)) ?? "", (try? String(contentsOfFile: body, encoding: .utf8)) ?? "")
            }
        }

        struct Failure: Error { var words: String }
    }

    private static let hasExim = geteuid() == 0 && ["/usr/sbin/exim4", "/usr/bin/openssl"].allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }

    @Test(
        "A real server takes the mails, in the clear and by STARTTLS; one recipient that is refused keeps nobody else from hearing",
        .enabled(if: hasExim, "needs root, exim4 and openssl"), arguments: [false, true])
    func sending(tls: Bool) throws {
        defer { remove() }
        let exim = try Exim(tls: tls)
        let complaints = Mutex<[String]>([])
        let notifier = Notifier(
            try configuration("notifications: {from: backup@mail.test, to: [refused@mail.test, admin@mail.test], smtp: 'smtp://127.0.0.1:\(exim.port)'}\n")
        ) { text in complaints.withLock { $0.append(text) } }
        _ = notifier.telling(of: operation(["notifications": "second@mail.test, admin@mail.test"]), CapturedConsole().console) { console in
            console.write("- stats -\n.\n.dots\nNew Accounts: 7\n")
            return .successful
        }
        notifier.finish()
        let mails = exim.mails
        #expect(mails.count == 4, "begin and end, to two of three: \(exim.log("mainlog"))")
        #expect(mails.count { $0.envelope.contains("\nadmin@mail.test\n") } == 2 && mails.count { $0.envelope.contains("\nsecond@mail.test\n") } == 2)
        let end = try #require(mails.first { $0.envelope.contains("Information: doSmartScan ended") })
        #expect(end.envelope.contains("<backup@mail.test>") && end.envelope.contains("Auto-Submitted: auto-generated"))
        #expect(end.text.contains("Operation id: 6f1c2a4e-58a7-4f2e-9d3b-0d2c5a1e7b90") && end.text.contains("\n.\n.dots\nNew Accounts: 7\n"), "\(end.text)")
        #expect(exim.log("mainlog").contains("X=TLS") == tls)
        let words = complaints.withLock { $0 }
        #expect(words.count == 2 && words.allSatisfy { $0.contains("could not be sent to refused@mail.test") && $0.contains("550") }, "\(words)")
        #expect(log.contains("could not be sent to refused@mail.test"))
    }

    @Test(
        "A server that must prove itself and cannot, and one that does not answer, are named without the password",
        .enabled(if: hasExim, "needs root, exim4 and openssl"))
    func unsafe() throws {
        let exim = try Exim(tls: true)
        for server in ["smtp://user:secret@127.0.0.1:\(exim.port)", "smtp://user:secret@127.0.0.1:1"] {
            let error = #expect(throws: SMTP.Failure.self) {
                try SMTP.send(Array("Subject: x\r\n\r\n".utf8), from: "a@b.c", to: "d@e.f", server: server)
            }
            #expect(error?.description.contains("127.0.0.1:") == true && error?.description.contains("secret") == false, "\(String(describing: error))")
        }
        #expect(exim.mails.isEmpty)
    }
}
