import Testing

@testable import zxbackup

@Suite("The command line's grammar")
struct GrammarTests {
    private let grammar = Grammar(commands: CommandTable.all)

    private func invocation(_ words: String...) throws -> Invocation {
        guard case .run(let invocation) = try grammar.parse(words) else {
            throw UsageError("no command to run")
        }
        return invocation
    }

    private func refusal(_ words: String...) -> UsageError? {
        do {
            _ = try grammar.parse(words)
            return nil
        } catch {
            return error as? UsageError
        }
    }

    @Test("Commands and parameter names match whatever their case")
    func caseInsensitive() throws {
        let parsed = try invocation("GETITEM", "john@example.com", "257", "DATE", "all", "Dump_Blob", "TRUE")
        #expect(parsed.command.name == "getItem")
        #expect(parsed["account"] == "john@example.com")
        #expect(parsed["item"] == "257")
        #expect(try parsed.date("date") == .word("all"))
        #expect(parsed.flag("dump_blob"))
    }

    @Test("name value, --name value and --name=value mean the same", arguments: [
        ["getItem", "a", "1", "date", "all"], ["getItem", "a", "1", "--date", "all"], ["getItem", "a", "1", "--date=all"],
        ["getItem", "--date=all", "a", "1"], ["backup", "getItem", "a", "1", "date", "all"],
        ["getItem", "--account", "a", "1", "date", "all"], ["getItem", "--item=1", "a", "date", "all"],
    ])
    func spellings(_ words: [String]) throws {
        guard case .run(let parsed) = try grammar.parse(words) else { Issue.record("nothing to run"); return }
        #expect(parsed["account"] == "a")
        #expect(parsed["item"] == "1")
        #expect(parsed["date"] == "all")
    }

    @Test("Global options stand before and after a command, with their values")
    func globalOptions() throws {
        let parsed = try invocation("--config", "a.yaml", "--json", "getItem", "a", "1", "--backup-path=/b", "--progress", "--sync")
        #expect(parsed.options == GlobalOptions(
            json: true, progress: true, sync: true, help: false, host: nil, backupPath: "/b", configuration: "a.yaml"))
        #expect(try invocation("--hostname", "mail", "serve").options.host == "mail")
    }

    @Test("A flag of a command needs no value, and does not swallow the next word")
    func flags() throws {
        #expect(try invocation("serve", "--once").flag("once"))
        let parsed = try invocation("getItem", "--dump_blob", "a", "1")
        #expect(parsed.flag("dump_blob"))
        #expect(parsed["account"] == "a")
        #expect(try invocation("serve", "--once", "false").flag("once") == false)
    }

    @Test("Defaults are the table's")
    func defaults() throws {
        let parsed = try invocation("getAvailableAccounts")
        #expect(parsed.flag("hide_system_accounts"))
        #expect(!parsed.flag("hide_deleted"))
        #expect(try parsed.date("date") == .word("last"))
        #expect(parsed.list("domains") == nil)
    }

    @Test("Lists are split at commas; 'all' is no list")
    func lists() throws {
        #expect(try invocation("getAvailableAccounts", "domains", "a.com, b.com").list("domains") == ["a.com", "b.com"])
        #expect(try invocation("getAvailableAccounts", "domains", "ALL").list("domains") == nil)
    }

    @Test("Too few parameters: the words that administrators know, with the command's help")
    func tooFew() {
        let error = refusal("getItem", "john@example.com")
        #expect(error?.message == "command getItem requires more parameters")
        #expect(error?.command?.name == "getItem")
    }

    @Test("What is not understood is refused, never ignored", arguments: [
        (["getItm", "a", "1"], "unknown command 'getItm'; did you mean getItem?"),
        (["getItem", "a", "1", "dat", "all"], "command getItem has no parameter 'dat'; did you mean date?"),
        (["getItem", "a", "1", "date"], "parameter date needs a value"),
        (["getItem", "a", "1", "date", "all", "date", "last"], "parameter date is given twice"),
        (["getItem", "a", "one"], "parameter item: a whole number is expected, not 'one'"),
        (["getItem", "a", "1", "dump_blob", "yes"], "parameter dump_blob: true or false is expected, not 'yes'"),
        (["getAvailableAccounts", "output_headers", "x"],
            "parameter output_headers: accountMap|accountList|accountIdList|accountAndIdList is expected, not 'x'"),
        (["--jsn", "serve"], "unknown option --jsn; did you mean --json?"), (["--colours"], "unknown option --colours"),
        (["frobnicate"], "unknown command 'frobnicate'. 'zxbackup help' lists them"),
        (["doitemserch", "a"], "unknown command 'doitemserch'; did you mean doItemSearch?"),
        (["getPropertie"], "unknown command 'getPropertie'; did you mean getProperty?"),
        (["doItemSearch", "a", "serch_string", "x"], "command doItemSearch has no parameter 'serch_string'; did you mean search_string?"),
        (["getItem", "a", "1", "--dmp_blob"], "command getItem has no parameter 'dmp_blob'; did you mean dump_blob?"),
        (["getItem", "a", "1", "--progres"], "command getItem has no parameter 'progres'; did you mean progress?"),
        (["help", "statsu"], "unknown command 'statsu'; did you mean status?"), (["--config"], "option --config needs a value"),
        (["serve", "--json=yes"], "option --json takes no value"),
        (["getItem", "", "1"], "parameter account: a value is expected, not ''"),
    ])
    func refusals(_ words: [String], _ message: String) {
        do {
            _ = try grammar.parse(words)
            Issue.record("\(words) was accepted")
        } catch {
            #expect("\(error)" == message)
        }
    }

    @Test("A parameter whose work is not done yet is refused with these words", arguments: [
        (["doRestoreOnNewAccount", "a", "b", "last", "apply_hsm", "true"], "parameter apply_hsm true of doRestoreOnNewAccount"),
        (["doRestoreOnNewAccount", "a", "b", "last", "restore_chat_buddies", "TRUE"],
            "parameter restore_chat_buddies TRUE of doRestoreOnNewAccount"),
    ])
    func notYet(_ words: [String], _ what: String) {
        #expect { _ = try grammar.parse(words) } throws: { "\($0)" == "\(what) is not available yet" }
    }

    @Test("Their harmless values are accepted: old scripts spell the defaults out")
    func harmless() throws {
        #expect(try invocation("doRestoreOnNewAccount", "a", "b", "last", "apply_hsm", "false")["apply_hsm"] == "false")
    }

    @Test("help COMMAND, help backup COMMAND, COMMAND --help and COMMAND -h mean the same", arguments: [
        ["help", "getItem"], ["help", "backup", "GETITEM"], ["getItem", "--help"], ["getItem", "a", "-h"], ["--help", "getItem"],
        ["backup", "help", "getItem"], ["getItem", "a", "1", "--help"],
    ])
    func help(_ words: [String]) throws {
        guard case .helpOf(let command) = try grammar.parse(words) else { Issue.record("no help"); return }
        #expect(command.name == "getItem")
    }

    @Test("Nothing, help and --help show the list", arguments: [[], ["help"], ["--help"], ["backup"], ["help", "backup"]])
    func overview(_ words: [String]) throws {
        guard case .help = try grammar.parse(words) else { Issue.record("no list"); return }
    }

    @Test("The word start is accepted where the newer syntax asks for it")
    func start() throws {
        #expect(try invocation("doSmartScan", "start").command.name == "doSmartScan")
        #expect(refusal("rebuildIndex", "start") != nil)
    }

    @Test("A sub-tree's arguments are left to its own parser")
    func subtree() throws {
        guard case .subtree(let command, let options, let words) = try grammar.parse(["--json", "REDOLOG", "dump", "--strict", "a b"])
        else { Issue.record("no sub-tree"); return }
        #expect(command.name == "redolog")
        #expect(options.json)
        #expect(words == ["dump", "--strict", "a b"])
    }

    @Test("After -- everything is taken as it is")
    func verbatim() throws {
        #expect(try invocation("doRestoreOnNewAccount", "--", "--odd", "b", "last")["source_account"] == "--odd")
    }

    @Test("No two commands and no two parameters of one are the same but for their case")
    func unambiguous() {
        let names = CommandTable.all.map { $0.name.lowercased() }
        #expect(Set(names).count == names.count)
        for command in CommandTable.all {
            let parameters = command.parameters.map { $0.name.lowercased() }
            #expect(Set(parameters).count == parameters.count, "\(command.name)")
        }
    }
}
