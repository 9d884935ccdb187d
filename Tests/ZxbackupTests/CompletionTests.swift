import Testing

@testable import zxbackup

@Suite("What can follow on a command line")
struct CompletionTests {
    private func offered(_ line: String, accounts: [String] = []) -> CompletionOffer {
        CompletionOffer(TypedLine("zxbackup " + line)) { _, _ in accounts }
    }

    @Test(
        "Commands, parameters, values and options",
        arguments: [
            ("getAcc", ["getAccountInfo"]), ("getacc", ["getAccountInfo"]), ("doSmart", ["doSmartScan"]), ("doPur", ["doPurge"]), ("doCheckS", []), ("doBackupL", ["doBackupLDAP"]), ("backup getIt", ["getItem"]),
            ("--config x.yaml backup getIt", ["getItem"]), ("--config=x.yaml --json getIt", ["getItem"]), ("hel", ["help"]),
            ("help doUnd", ["doUndelete"]), ("help doUndelete ", []), ("--js", ["--json"]), ("getItem --js", ["--json"]),
            ("getaccountinfo bob@example.com b", ["backup_path", "backupstats"]),
            ("getaccountinfo bob@example.com backupstats true b", ["backup_path"]),
            ("getItem bob@example.com 1 date ", ["all", "last"]), ("getItem bob@example.com 1 DATE l", ["last"]),
            ("getItem bob@example.com 1 --date l", ["last"]), ("getItem bob@example.com 1 --date=l", ["--date=last"]),
            ("getItem bob@example.com 1 --da", ["--date"]), ("getItem bob@example.com 1 dump_blob t", ["true"]),
            ("doExportMailbox bob@example.com /tmp/x format ", ["eml", "maildir", "mbox", "tgz"]),
            ("doUndelete bob@example.com ", ["first"]), ("doUndelete bob@example.com first ", ["last"]),
            ("doUndelete bob@example.com \"27/02/2014 00:00:00\" ", ["last"]),
            ("doUndelete bob@example.com first last not", ["notifications"]),
            ("serve --once ", ["false", "true"]), ("serve --once f", ["false"]), ("serve --once --o", []),
            ("redolog d", ["dump"]), ("completion z", ["zsh"]), ("setProperty zxbackup_s", ["ZxBackup_SpaceThreshold"]),
            ("getProperty backupcom", ["backupCompressionLevel"]), ("nothing ", [])
        ])
    func words(_ line: String, _ expected: [String]) {
        let offer = offered(line)
        #expect(offer.words.map(\.text).sorted() == expected, "\(line)")
        #expect(!offer.includesFiles)
    }

    @Test(
        "Files where a path is expected",
        arguments: [
            ("--config ", true), ("--config=", true), ("--host ", false), ("getItem bob 1 backup_path ", true),
            ("getItem bob 1 --backup_path=/mnt", true), ("doExportMailbox bob ", true), ("redolog dump ", true),
            ("getItem bob 1 date ", false), ("getItem bob 1 ", false), ("getMap ", true)
        ])
    func files(_ line: String, _ expected: Bool) { #expect(offered(line).includesFiles == expected, "\(line)") }

    @Test("Accounts where one is expected, by their beginning, in any case")
    func accounts() {
        let accounts = ["alice@example.com", "bob@example.com"]
        #expect(offered("doUndelete ", accounts: accounts).words.map(\.text) == accounts)
        #expect(offered("getItem AL", accounts: accounts).words.map(\.text) == ["alice@example.com"])
        #expect(offered("getItem --account=b", accounts: accounts).words.map(\.text) == ["--account=bob@example.com"])
        #expect(offered("getItem alice@example.com ", accounts: accounts).words.isEmpty)
    }

    @Test("Every command that works is offered, and none that does not")
    func complete() {
        let offered = Set(offered("").words.map(\.text)).subtracting(["help"])
        #expect(offered == Set(CommandTable.all.filter { $0.availability != .notYet }.map(\.name)))
    }

    @Test("A line is read as a shell reads it: quotes, backslashes, what stands before the program")
    func line() {
        let typed = TypedLine(#"sudo A=b ./zxbackup getItem 'a b' "c \"d" e\ f"g"#)
        #expect(typed.words == ["getItem", "a b", #"c "d"#] && typed.current == "e fg")
        #expect(TypedLine("zxbackup x '27/02").current == "27/02")
        #expect(TypedLine("zxbackup x ").current.isEmpty && TypedLine("zxbackup ''").words.isEmpty)
    }

    @Test("Another shell is refused with those there are")
    func otherShell() {
        let result = run(["completion", "tcsh"])
        #expect(result.status == .usage && result.errors.contains("bash|zsh|fish is expected"), "\(result.errors)")
    }
}
