import BackupStore
import Foundation
import SystemPackage
import Testing

@testable import BackupCore

/// What other programs read from an export.
@Suite("Exported files in the programs that they are for")
struct ExportingProgramsTests {
    /// A mailbox with what mail programs know: folders, flags, dates, odd contents.
    struct Mail {
        let bench: RestoringBench
        /// Folder path -> its messages.
        var messages: [String: [ItemState]] = [:]
        var bytes: [Int64: [UInt8]] = [:]

        static let folders: [(Int64, String, Int64, String)] = [
            (2, "Inbox", 1, "INBOX"), (5, "Sent", 1, "Sent"), (3, "Trash", 1, "Trash"), (400, "Work", 1, "Work"), (401, "Entwürfe", 400, "Work.Entwürfe"),
            (402, "Tom & Jerry", 1, "Tom & Jerry"), (403, "日本語 😀", 402, "Tom & Jerry.日本語 😀"), (404, "Below the Inbox", 2, "INBOX.Below the Inbox"),
            (405, "Empty", 1, "Empty"),
        ]

        init() throws {
            bench = try RestoringBench()
            try bench.commit(["red", "Big Stuff", "日本語"].enumerated().map { ItemState(tag: TagRow(id: 64 + Int64($0.offset), name: $0.element)) })
            try bench.commit(Self.folders.filter { $0.0 >= 400 }.map { id, name, parent, _ in
                var folder = bench.folder(id, name, in: parent)
                if id != 405 { folder.row.flags = [.subscribed] }
                return folder
            })
            let choices: [Flags] = [[], [.answered], [.flagged], [.forwarded], [.draft], [.deleted], [.answered, .flagged, .forwarded, .draft, .deleted]]
            var states: [ItemState] = []
            for (place, folder) in Self.folders.enumerated() where folder.0 != 405 {
                for (number, flags) in choices.enumerated() {
                    let id = Int64(1000 + 10 * place + number)
                    let body = [
                        "Hello\r\n", "From the beginning\r\n>From here\r\n>>From there\r\n", "no end", "\r\n\r\n", "Grüße\r\nFrom \r\n\r\nFrom x\r\n",
                        "Status: R\r\n", String(repeating: "long line ", count: 20_000) + "\r\n",
                    ][number]
                    let text = "From: Ann <ann\(id)@example.com>\r\nTo: bob@example.com\r\nStatus: X\r\nSubject: message \(id)\r\nX-Status: QF\r\n\r\n" + body
                    bytes[id] = Array(text.utf8)
                    var state = try bench.message(
                        id, in: folder.0, bytes: Array(text.utf8), date: 1_500_000_000 + 86_400 * Int64(number) + Int64(place), flags: flags,
                        unread: number % 2 == 0,
                        tags: number == 3 ? ["red"] : number == 4 ? ["Big Stuff", "日本語"] : [])
                    if number > 0 { state.row.sender = "Ann <ann\(id)@example.com>" }
                    messages[folder.3, default: []].append(state)
                    states.append(state)
                }
            }
            try bench.commit(states)
        }
    }

    @Test("Python's mailbox module reads the mbox: same messages, flags and dates", .enabled(if: OtherProgram.hasPython, "python3 is not installed"))
    func pythonMbox() throws {
        let mail = try Mail()
        let export = try mail.bench.export(.mbox)
        #expect(export.report.isComplete && export.report.exported == 56)
        let program = """
            import mailbox, sys, json, base64, os, time, calendar
            out = {}
            for place, _, names in os.walk(sys.argv[1]):
                for name in names:
                    if not name.endswith('.mbox'): continue
                    path = os.path.join(place, name)
                    out[os.path.relpath(path, sys.argv[1])] = [
                        {'subject': m['subject'], 'flags': ''.join(sorted(m.get_flags())), 'from': m.get_from().split(' ', 1)[0],
                         'date': str(calendar.timegm(time.strptime(m.get_from().split(' ', 1)[1]))),
                         'bytes': base64.b64encode(box.get_bytes(key)).decode()}
                        for box in [mailbox.mbox(path, create=False)] for key, m in box.items()]
            print(json.dumps(out))
            """
        let boxes = try #require(try OtherProgram.python(program, export.url.path) as? [String: [[String: String]]])
        #expect(Set(boxes.keys) == [
            "Inbox.mbox", "Sent.mbox", "Trash.mbox", "Work.mbox", "Work/Entwürfe.mbox", "Tom & Jerry.mbox", "Tom & Jerry/日本語 😀.mbox",
            "Inbox/Below the Inbox.mbox", "Empty.mbox",
        ])
        #expect(boxes["Empty.mbox"]?.isEmpty == true)
        for (folder, states) in mail.messages {
            let file = folder.replacingOccurrences(of: "INBOX", with: "Inbox").replacingOccurrences(of: ".", with: "/") + ".mbox"
            let found = try #require(boxes[file])
            #expect(found.map { $0["subject"] } == states.map { "message \($0.row.id)" }, "\(file)")
            for (message, state) in zip(found, states) {
                var flags: Set<Character> = ["O"]
                if state.row.unread == 0 { flags.insert("R") }
                for (flag, letter) in [(Flags.deleted, "D"), (.flagged, "F"), (.answered, "A"), (.draft, "T")] as [(Flags, Character)]
                where state.row.flags.contains(flag) { flags.insert(letter) }
                #expect(message["flags"].map { Set($0) } == flags)
                #expect(message["from"] == (state.row.sender == nil ? "MAILER-DAEMON" : "ann\(state.row.id)@example.com"))
                #expect(message["date"] == "\(state.row.date)")
                let bytes = Data(base64Encoded: message["bytes"] ?? "").map { String(decoding: $0, as: UTF8.self) } ?? ""
                let lines = bytes.components(separatedBy: "\n").map { line -> String in
                    if line.hasPrefix(">"), line.drop(while: { $0 == ">" }).hasPrefix("From ") { return String(line.dropFirst()) }
                    return line.hasPrefix("X-Old-") ? String(line.dropFirst(6)) : line
                }
                let header = state.row.flags.intersection([.deleted, .flagged, .answered, .draft]).isEmpty ? 1 : 2
                var expected = String(decoding: mail.bytes[state.row.id]!, as: UTF8.self).replacingOccurrences(of: "\r\n", with: "\n")
                if !expected.hasSuffix("\n") { expected += "\n" }
                #expect(lines.dropFirst(header).joined(separator: "\n") == expected, "message \(state.row.id)")
            }
        }
    }

    @Test("Python's mailbox module reads the Maildir: same bytes, flags and dates", .enabled(if: OtherProgram.hasPython, "python3 is not installed"))
    func pythonMaildir() throws {
        let mail = try Mail()
        let export = try mail.bench.export(.maildir)
        #expect(export.report.isComplete && export.report.exported == 56)
        let program = """
            import mailbox, sys, json, base64
            top = mailbox.Maildir(sys.argv[1], factory=None, create=False)
            boxes = {'INBOX': top, **{name: top.get_folder(name) for name in top.list_folders()}}
            print(json.dumps({name: [
                {'bytes': base64.b64encode(box.get_bytes(key)).decode(), 'flags': m.get_flags(), 'date': str(int(m.get_date())), 'subdir': m.get_subdir()}
                for key, m in box.items()] for name, box in boxes.items()}))
            """
        let boxes = try #require(try OtherProgram.python(program, export.url.path) as? [String: [[String: String]]])
        #expect(Set(boxes.keys) == Set(Mail.folders.map { ModifiedUTF7.encode($0.3) }))
        for (folder, states) in mail.messages {
            let found = try #require(boxes[ModifiedUTF7.encode(folder)], "\(folder)")
            let read = Dictionary(uniqueKeysWithValues: found.map { ($0["bytes"] ?? "", $0) })
            #expect(read.count == states.count)
            for state in states {
                let message = try #require(read[Data(mail.bytes[state.row.id]!).base64EncodedString()], "message \(state.row.id)")
                #expect(message["flags"]?.filter(\.isUppercase) == Self.letters(state) && message["date"] == "\(state.row.date)" && message["subdir"] == "cur")
            }
        }
    }

    private static func letters(_ state: ItemState) -> String {
        var letters = state.row.unread == 0 ? "S" : ""
        for (flag, letter) in [(Flags.draft, "D"), (.flagged, "F"), (.forwarded, "P"), (.answered, "R"), (.deleted, "T")] as [(Flags, String)]
        where state.row.flags.contains(flag) { letters += letter }
        return String(letters.sorted())
    }

    private static let imapProgram = "/usr/lib/dovecot/imap"
    private static let hasDovecot = hasProgram(imapProgram) && OtherProgram.hasPython

    private static func hasProgram(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    @Test(
        "Dovecot serves the Maildir over IMAP: same folders, messages, flags and dates",
        .enabled(if: hasDovecot, "dovecot-imapd and python3 are not installed"))
    func dovecot() throws {
        let mail = try Mail()
        let export = try mail.bench.export(.maildir)
        let folder = URL(fileURLWithPath: mail.bench.folder.path.string)
        // Dovecot refuses to read mail as root: the files then belong to nobody.
        let isRoot = geteuid() == 0
        let user = isRoot ? "nobody" : "\(geteuid())"
        let run = folder.appending(path: "run")
        try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true)
        if isRoot {
            try OtherProgram.run("/bin/chmod", ["755", folder.path])
            try OtherProgram.run("/bin/chown", ["-R", "nobody", export.url.path, run.path])
        }
        let configuration = """
            base_dir = \(run.path)
            state_dir = \(run.path)
            log_path = \(run.path)/log
            ssl = no
            mail_location = maildir:\(export.url.path)
            mail_uid = \(user)
            first_valid_uid = 0
            first_valid_gid = 0
            namespace inbox {
              inbox = yes
              separator = .
            }
            """
        let file = folder.appending(path: "dovecot.conf")
        try Data((configuration + "\n").utf8).write(to: file)
        let program = """
            import imaplib, sys, json, base64, re, time
            imap = imaplib.IMAP4_stream("env -i USER=ann HOME='%s' %s -c '%s'" % (sys.argv[3], sys.argv[1], sys.argv[2]))
            def names(lines): return [re.match(rb'\\([^)]*\\) "." (.*)$', line).group(1).strip(b'"').decode() for line in lines if line]
            out = {'folders': names(imap.list()[1]), 'subscribed': names(imap.lsub()[1]), 'messages': {}}
            for name in out['folders']:
                count = int(imap.select('"%s"' % name, readonly=True)[1][0])
                found = out['messages'][name] = []
                if count == 0: continue
                for part in imap.fetch('1:*', '(FLAGS INTERNALDATE BODY.PEEK[])')[1]:
                    if isinstance(part, tuple):
                        found.append({'bytes': base64.b64encode(part[1]).decode(), 'head': part[0].decode()})
                    elif found: found[-1]['head'] += part.decode()
                for message in found:
                    head = message.pop('head')
                    message['flags'] = sorted(f.decode() for f in imaplib.ParseFlags(head.encode()))
                    message['date'] = int(time.mktime(imaplib.Internaldate2tuple(head.encode())))
            imap.logout()
            print(json.dumps(out))
            """
        let answer = try #require(
            try OtherProgram.python(program, Self.imapProgram, file.path, folder.path) as? [String: Any])
        #expect(Set(answer["folders"] as? [String] ?? []) == Set(Mail.folders.map { ModifiedUTF7.encode($0.3) }))
        #expect(Set(answer["subscribed"] as? [String] ?? []) == Set(Mail.folders.filter { $0.0 >= 400 && $0.0 != 405 }.map { ModifiedUTF7.encode($0.3) }))
        let boxes = try #require(answer["messages"] as? [String: [[String: Any]]])
        for (name, states) in mail.messages {
            let found = try #require(boxes[ModifiedUTF7.encode(name)])
            #expect(found.count == states.count)
            let read = Dictionary(found.map { ($0["bytes"] as? String ?? "", $0) }) { first, _ in first }
            for state in states {
                // IMAP ends every line in CRLF; these messages do, but for a last line without an end.
                let message = try #require(read[Data(mail.bytes[state.row.id]!).base64EncodedString()], "message \(state.row.id)")
                var flags: Set<String> = state.row.unread == 0 ? ["\\Seen"] : []
                for (flag, word) in [(Flags.answered, "\\Answered"), (.flagged, "\\Flagged"), (.draft, "\\Draft"), (.deleted, "\\Deleted"), (.forwarded, "$Forwarded")]
                    as [(Flags, String)] where state.row.flags.contains(flag) { flags.insert(word) }
                for (number, tag) in [(3, "red"), (4, "Big_Stuff"), (4, "&ZeVnLIqe-")] where state.row.id % 10 == number { flags.insert(tag) }
                let there = Set(message["flags"] as? [String] ?? []).subtracting(["\\Recent"])
                #expect(there == flags, "message \(state.row.id): \(there)")
                #expect(message["date"] as? Int64 == state.row.date || int(message["date"]) == state.row.date, "message \(state.row.id)")
            }
        }
    }
}
