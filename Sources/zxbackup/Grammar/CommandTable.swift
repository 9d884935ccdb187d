import BackupCore

/// Every command, in the order of the help page.
///
/// Names, parameters and defaults are those that administrators know from `zxsuite backup` and `carbonio backup`.
enum CommandTable {
    static let all: [CommandSpecification] = groups.flatMap(\.commands)

    /// The commands by what they are for.
    static let groups: [Group] = [
        Group(title: "KEEPING A BACKUP", commands: service), Group(title: "LOOKING INTO A BACKUP", commands: reading),
        Group(title: "BRINGING BACK", commands: restoring), Group(title: "COMPARING WITH THE SERVER", commands: scanning),
        Group(title: "UPKEEP", commands: upkeep), Group(title: "OPERATIONS", commands: queue),
        Group(title: "REDO LOGS, TRIALS, SHELL", commands: tools),
    ]

    /// Commands of one purpose.
    struct Group: Sendable {
        var title: String
        var commands: [CommandSpecification]
    }

    private static let notifications = Parameter.optional("notifications", .addresses)
    private static let backupPath = Parameter.optional("backup_path", .path, "the configured backup path")
    private static let applyHSM = Parameter.optional("apply_hsm", .boolean, "false", refused: .value("true"))
    private static let hideInGAL = Parameter.optional("hide_in_gal", .boolean, "false")

    private static let service: [CommandSpecification] = [
        CommandSpecification(
            "init", "Makes a backup path for the configured server.", [backupPath],
            examples: [.init(command: "init", meaning: "Makes the configured backup path, which must be empty or not exist yet.")],
            availability: .built),
        CommandSpecification(
            "serve", "Runs the service: scans accounts never seen, then follows the server's redo log.", [.optional("once", .boolean, "false")],
            examples: [
                .init(command: "serve", meaning: "Follows the redo log until SIGTERM or Ctrl+C."),
                .init(command: "serve --once", meaning: "Catches up with the server, and ends."),
            ], availability: .built),
        CommandSpecification(
            "status", "Answers in one screen: am I protected?", [.optional("prometheus", .boolean, "false"), backupPath],
            examples: [
                .init(
                    command: "status",
                    meaning: "Shows the service, how far the backup is behind, accounts in doubt, free space."),
                .init(command: "status --prometheus", meaning: "The figures alone, as Prometheus reads them."),
            ],
            notes: ["Exit status: 0 fine, 1 warning, 2 critical."], availability: .built),
        CommandSpecification(
            "doctor", "Looks at the host, says what will not work and what to do.", [backupPath],
            examples: [
                .init(
                    command: "doctor",
                    meaning: "Looks at configuration, database, directory, redo log, volumes and backup path of 'server: {kind: zimbra}'.")
            ],
            notes: ["Nothing is changed. Exit status: 0 fine, 1 warning, 2 critical."], availability: .built),
    ]

    private static let reading: [CommandSpecification] = [
        CommandSpecification(
            "getItem", "Shows the states of an item.",
            [
                .mandatory("account", .account), .mandatory("item", .number), backupPath,
                .optional("dump_blob", .boolean, "false"), .optional("date", .date(words: ["last", "all"]), "last"),
            ],
            examples: [
                .init(
                    command: "getItem john@example.com 24700 date all",
                    meaning: "Shows every state that item 24700 of John's mailbox had."),
                .init(
                    command: "getItem john@example.com 24700 dump_blob true",
                    meaning: "Shows its last state, and then its content."),
            ], availability: .built),
        CommandSpecification(
            "getAccountInfo", "Shows what is kept of an account: attributes, signatures, identities, data sources.",
            [
                .mandatory("account", .account), backupPath,
                .optional("date", .date(words: ["most_recent", "least_recent", "all"]), "most_recent"),
                .optional("backupstats", .boolean, "false"),
            ],
            examples: [
                .init(
                    command: "getAccountInfo john@example.com backupstats true",
                    meaning: "Shows John's account as it is now, and figures of its backup.")
            ], availability: .built),
        CommandSpecification(
            "getAvailableAccounts", "Lists the accounts of the backup.",
            [
                .optional("date", .date(words: ["last"]), "last"), backupPath, .optional("domains", .list, "all"),
                .optional("hide_deleted", .boolean, "false"), .optional("hide_system_accounts", .boolean, "true"),
                .optional("hide_existing_accounts", .boolean, "false"), .optional("output_file", .path),
                .optional("output_headers", .choice(["accountMap", "accountList", "accountIdList", "accountAndIdList"]), "accountAndIdList"),
            ],
            examples: [
                .init(command: "getAvailableAccounts domains example.com", meaning: "Lists the accounts of example.com."),
                .init(
                    command: "getAvailableAccounts output_file accounts.txt output_headers accountList",
                    meaning: "Writes their names to a file, one a line."),
            ], availability: .built),
        CommandSpecification(
            "getAvailableDomains", "Lists the domains of the backup.",
            [.mandatory("date", .date(words: ["last"])), .mandatory("backup_path", .path)],
            examples: [
                .init(
                    command: "getAvailableDomains last /opt/zimbra/backup/ng",
                    meaning: "Lists the domains that have an account in that backup now.")
            ], availability: .built),
        CommandSpecification(
            "getBackupInfo", "Shows what a backup path says of itself.", [backupPath],
            examples: [
                .init(command: "getBackupInfo", meaning: "Whose backup it is, how far it is, and how many accounts it holds."),
                .init(command: "getBackupInfo backup_path /mnt/copy", meaning: "The same of a copy."),
            ], availability: .built),
        CommandSpecification(
            "doItemSearch", "Finds items in the backup.",
            [
                .mandatory("account", .account), backupPath, .optional("id", .number), .optional("search_string", .text),
                .optional("type", .choice(["message", "contact", "folder", "document", "appointment", "task", "all"]), "message"),
                .optional("before", .date(words: [])), .optional("after", .date(words: [])),
                .optional("search_filter", .choice(["all", "deleted", "not_deleted"]), "deleted"), .optional("raw_metadata", .boolean, "false"),
            ],
            examples: [
                .init(
                    command: "doItemSearch john@example.com",
                    meaning: "Shows all of John's deleted mail that is still in the backup."),
                .init(
                    command: "doItemSearch john@example.com search_string contract after \"27/02/2014 00:00:00\"",
                    meaning: "Only what was deleted since that second and shows this text."),
                .init(
                    command: "doItemSearch john@example.com type folder search_filter all",
                    meaning: "Shows every folder that there is or was."),
            ],
            notes: [
                "search_string tells upper from lower case, and is looked for in subject, name, sender, recipients, tags and what else",
                "a list view shows.",
                "before and after are about an item's last change; of a deleted item that is its deletion.",
            ], availability: .built),
        CommandSpecification(
            "getServerConfig", "Shows the server's configuration as it is or was, or the archives of its files.",
            [
                .mandatory("type", .choice(["standard", "customizations"])), .optional("date", .date(words: ["last", "all"]), "last"), backupPath,
                .optional("file", .path), .optional("query", .text), .optional("verbose", .boolean, "false"), .optional("colors", .boolean, "false"),
            ],
            examples: [
                .init(
                    command: "getServerConfig standard date last query serverConfig/zimbraMailMode/mail.example.com",
                    meaning: "Shows one attribute of one server, and since when it is so."),
                .init(
                    command: "getServerConfig standard date all query cosConfig/zimbraMailQuota",
                    meaning: "Shows every value that the quota of each COS ever had."),
                .init(command: "getServerConfig standard query /", meaning: "Shows everything."),
                .init(
                    command: "getServerConfig customizations date all verbose true",
                    meaning: "Lists the archives of the server's configuration files."),
            ],
            notes: [
                "query is section/attribute/entry, or section/entry/attribute; parts may be left out from the end. The sections:",
                ConfigurationQuery.Section.allCases.map(\.rawValue).joined(separator: ", ") + ".",
                "Without query: the entries of each section. file reads a dump of doBackupLDAP instead of the histories.",
                "verbose adds section, id and distinguished name. Secret values are never shown.",
            ], availability: .built),
        CommandSpecification(
            "getMap", "Shows the id map of a restore: which item became which.", [.mandatory("file_path", .path)],
            examples: [
                .init(
                    command: "getMap /var/lib/zxbackup/idmaps/7ea96c35-8ef2-4a20-9fe7-cf7c992d8ad2-4.sqlite",
                    meaning: "Shows the original and the new id of each item that was restored into mailbox 4 of that account.")
            ],
            notes: ["The maps lie in the state folder, as idmaps/<account id>-<mailbox number>.sqlite."], availability: .built),
        CommandSpecification(
            "getCOSBackupStatus", "Shows which COS are backed up.", [.optional("cos_name", .text, "all"), backupPath],
            examples: [
                .init(command: "getCOSBackupStatus", meaning: "Lists every COS, and whether its accounts are backed up."),
                .init(command: "getCOSBackupStatus cos_name gold", meaning: "Only that one."),
            ], availability: .built),
    ]

    private static let restoring: [CommandSpecification] = [
        CommandSpecification(
            "doRestoreOnNewAccount", "Restores a mailbox and the account's settings as of a date into a new account.",
            [
                .mandatory("source_account", .account), .mandatory("destination_account", .text),
                .mandatory("date", .date(words: ["last"])), backupPath,
                .optional("restore_chat_buddies", .boolean, "false", refused: .value("true")), applyHSM, hideInGAL,
                .optional("restore_datasource", .boolean, "true"), .optional("undelete", .boolean, "false", refused: .value("true")),
                .optional("undelete_start_date", .date(words: ["first"]), refused: .everything), notifications,
            ],
            examples: [
                .init(
                    command: "doRestoreOnNewAccount john@example.com john.restored@example.com \"28/02/2014 10:15:10\"",
                    meaning: "Brings John's mailbox back as it was at that second, into a new account."),
                .init(
                    command: "doRestoreOnNewAccount john@example.com john.restored@example.com last",
                    meaning: "The same as of the last known state; works for deleted accounts too."),
            ],
            notes: [
                "The destination account is created; one that exists is refused, unless this command made it and was interrupted:",
                "run again with the same parameters, it continues and restores nothing twice.",
                "Preferences, filters, signatures, identities and data sources come with it; data sources are switched off.",
                "What does not hold on another account, or is refused by the server, is listed with its reason.",
            ], availability: .built),
        CommandSpecification(
            "doRestoreDeletedAccount", "Restores a deleted account as it was at the moment of its deletion.",
            [
                .mandatory("source_account", .account), .mandatory("destination_account", .text), .optional("date", .date(words: ["last"]), "last"),
                backupPath, hideInGAL, applyHSM, notifications,
            ],
            examples: [
                .init(
                    command: "doRestoreDeletedAccount john@example.com john.back@example.com",
                    meaning: "Brings John's account back as it was just before its deletion."),
            ], availability: .built),
        CommandSpecification(
            "doUndelete", "Brings back what was deleted between two dates.",
            [
                .mandatory("account", .account), .mandatory("start_date", .date(words: ["first"])), .mandatory("end_date", .date(words: ["last"])),
                backupPath, .optional("target_original_folder", .boolean, "false"), applyHSM, notifications,
            ],
            examples: [
                .init(
                    command: "doUndelete john@example.com \"27/02/2014 00:00:00\" \"28/02/2014 23:59:59\"",
                    meaning: "Brings back what was deleted on these two days, below a folder \"Undelete dd-MM-yyyy HH.mm.ss\"."),
                .init(
                    command: "doUndelete john@example.com first last target_original_folder true",
                    meaning: "Brings back everything into the folders it was in, with a tag undelete_dd_MM_yy."),
            ],
            notes: ["What is alive again is left alone. Run again with the same dates, it restores nothing twice."], availability: .built),
        CommandSpecification(
            "doItemRestore", "Restores one item.",
            [
                .mandatory("account_name", .account), .mandatory("item_id", .number), .optional("date", .date(words: ["last"]), "last"),
                backupPath, .optional("restore_folder", .text),
            ],
            examples: [
                .init(
                    command: "doItemRestore john@example.com 24700",
                    meaning: "Brings the item back as it was last, into its folder, which comes back too if it is gone."),
                .init(
                    command: "doItemRestore john@example.com 24700 date \"28/02/2014 10:15:10\" restore_folder /Restored",
                    meaning: "Puts it, as it was at that second, into another folder."),
            ], availability: .built),
        CommandSpecification(
            "doExportMailbox", "Writes a mailbox as of a date into plain files.",
            [
                .mandatory("account", .account), .mandatory("destination_path", .path), .optional("date", .date(words: ["last"]), "last"),
                .optional("format", .choice(["eml", "maildir", "mbox", "tgz"]), "eml"), backupPath,
            ],
            examples: [
                .init(
                    command: "doExportMailbox john@example.com /tmp/john date \"28/02/2014 10:15:10\"",
                    meaning: "Writes John's mailbox as it was at that second: .eml, .vcf, .ics, documents and a manifest."),
                .init(
                    command: "doExportMailbox john@example.com /tmp/john format maildir backup_path /mnt/copy",
                    meaning: "Reads a copy of a backup path, without its server, and writes a Maildir that Dovecot serves."),
                .init(
                    command: "doExportMailbox john@example.com /tmp/john format tgz",
                    meaning: "Writes the server's own archive, mailbox.tgz, for 'zmmailbox -z -m john@example.com postRestURL \"/?fmt=tgz\" mailbox.tgz'."),
            ],
            notes: [
                "The destination path is made; one that exists is refused. Its manifest.jsonl has a line for every folder, tag and item.",
                "maildir and mbox hold messages and chats; other items are left out and counted.",
                "tgz brings mail, contacts, calendars and documents back into a live server, with flags, tags, dates and folders; not their ids.",
            ], availability: .built),
        CommandSpecification(
            "doExternalRestore", "Imports accounts, domains, COS and lists from another server's backup.",
            [.mandatory("source_path", .path)]),
        CommandSpecification("doRawRestore", "Restores a server's accounts under their own ids, without blobs.", [.mandatory("source_path", .path)]),
        CommandSpecification("doRestoreBlobs", "Puts missing or broken blobs of a volume back.", [.mandatory("volume_id", .number)]),
        CommandSpecification("doExport", "Copies the latest states into an empty backup path.", [.mandatory("destination_path", .path)]),
    ]

    private static let scanning: [CommandSpecification] = [
        CommandSpecification(
            "doSmartScan", "Compares with the server what changed since the last scan, and writes what differs.",
            [
                .optional("deep", .boolean, "false"), .optional("read_error_threshold", .number),
                .optional("remote_metadata_upload", .boolean, "false", refused: .value("true")), notifications,
            ],
            examples: [
                .init(
                    command: "doSmartScan",
                    meaning: "Looks at every account, and at the items of those that changed or are in doubt."),
                .init(command: "doSmartScan deep true", meaning: "Reads every row and every content on both sides."),
                .init(
                    command: "doSmartScan read_error_threshold 100",
                    meaning: "Ends with an error when more than 100 contents cannot be read."),
            ],
            notes: [
                "The running service does it, also by itself: see ZxBackup_DoSmartScanOnStartup and backupSmartScanScheduler.",
                "Without one the command does it itself.",
                "Interrupted, it goes on where it was when it is run again.",
            ], acceptsStart: true, availability: .built),
        CommandSpecification(
            "doAccountScan", "Compares one account with the server, and writes what differs.",
            [
                .mandatory("account", .account), .optional("deep", .boolean, "false"),
                .optional("confirm_deletions", .boolean, "false"), notifications,
            ],
            examples: [
                .init(
                    command: "doAccountScan john@example.com",
                    meaning: "Settles why the account needs a scan; getAccountInfo … backupstats true tells."),
                .init(
                    command: "doAccountScan john@example.com confirm_deletions true",
                    meaning: "Deletions that were only presumed become certain, where the server really has the items no more."),
                .init(
                    command: "doAccountScan john@example.com deep true",
                    meaning: "Reads every content on both sides, too: finds what either has lost or damaged."),
            ],
            notes: ["The running service does it; without one the command does it itself."], availability: .built),
        CommandSpecification(
            "doBackupLDAP", "Keeps the whole directory as LDIF.",
            examples: [
                .init(command: "doBackupLDAP", meaning: "Writes server/ldap_dump_dd_MM_yy#HH_mm_ss.ldif.gz in the backup path.")
            ],
            notes: ["A doSmartScan does it once a day: see ldapDumpEnabled. slapadd loads it into an empty directory."],
            acceptsStart: true, availability: .built),
        CommandSpecification(
            "doBackupCluster", "Takes in what changed in domains, COS, lists, servers and global configuration.",
            examples: [.init(command: "doBackupCluster", meaning: "Does at once what the service does every minute.")],
            notes: ["getServerConfig standard shows what is kept of them, as of any second."], acceptsStart: true, availability: .built),
        CommandSpecification(
            "doBackupServerCustomizations", "Archives the server's configuration files.",
            examples: [
                .init(
                    command: "doBackupServerCustomizations",
                    meaning: "Writes server/customizations_dd_MM_yy#HH_mm_ss.tar.gz in the backup path: conf/ and postfix/conf/.")
            ],
            notes: [
                "A doSmartScan does it once a day: see serverConfiguration. getServerConfig customizations lists the archives.",
                "They hold the server's passwords and keys: only the owner of the backup path can read them.",
            ], acceptsStart: true, availability: .built),
        CommandSpecification(
            "doEnableDisableCOS", "Switches the backup of a COS on or off.",
            [.mandatory("cos_name", .text), .mandatory("action", .choice(["enable", "disable"]))],
            examples: [
                .init(command: "doEnableDisableCOS gold disable", meaning: "Accounts of the COS gold are not backed up from now on."),
                .init(command: "doEnableDisableCOS gold enable", meaning: "They are again, and are scanned."),
            ],
            notes: [
                "The COS is marked in its notes, in the directory: ${ZxBackup_Disabled}.",
                "What the backup has of its accounts can be restored until it is as old as backupAccountsRetentionDays; then a purge takes it.",
            ], availability: .built),
    ]

    private static let upkeep: [CommandSpecification] = [
        CommandSpecification(
            "rebuildIndex", "Builds the index of the backup path anew from the histories and the journal.", [backupPath],
            examples: [.init(command: "rebuildIndex", meaning: "The index may be deleted at any time; this brings it back.")], availability: .built),
        CommandSpecification(
            "doPurge", "Removes what was deleted longer ago than retention asks for.",
            [.optional("purgeDays", .number, "ZxBackup_DataRetentionDays"), .optional("dryrun", .boolean, "false"), backupPath],
            examples: [
                .init(command: "doPurge dryrun true", meaning: "Says what would go, and removes nothing."),
                .init(command: "doPurge", meaning: "Removes it. The service does that by itself, by backupPurgeScheduler."),
                .init(command: "doPurge purgeDays 90", meaning: "Keeps deleted items for 90 days this time."),
            ],
            notes: [
                "Deleted items go with all their states, deleted accounts after backupAccountsRetentionDays with all that was in them.",
                "Days count from when the backup saw the deletion, and only those on which it was at work: no clock makes anything go early.",
                "Presumed deletions and accounts under legal hold stay. Contents can be read for seven days more.",
                "A retention of 0 is forever: the command says so, and ends.",
            ], availability: .built),
        CommandSpecification(
            "doCoherencyCheck", "Checks a backup path whole, or against the live server; mends it where that is wished.",
            [
                .mandatory("backup_path", .path), .optional("accounts", .list, "all"), .optional("checkZimbra", .boolean, "false"),
                .optional("fixBackup", .boolean, "false"), .optional("undo", .path), .optional("max_age", .number), notifications,
            ],
            examples: [
                .init(
                    command: "doCoherencyCheck /opt/zimbra/backup/ng",
                    meaning: "Reads everything in the backup path, also while the service writes to it, and says what is wrong."),
                .init(command: "doCoherencyCheck /mnt/copy --json", meaning: "The same of a copy, for a program."),
                .init(
                    command: "doCoherencyCheck /opt/zimbra/backup/ng checkZimbra true accounts john@example.com",
                    meaning: "Compares John's mailbox with its backup, items and contents, and writes nothing."),
                .init(
                    command: "doCoherencyCheck /opt/zimbra/backup/ng max_age 30",
                    meaning: "Checks what was not checked for 30 days, longest ago first; stopped, it goes on there the next night."),
                .init(
                    command: "doCoherencyCheck /opt/zimbra/backup/ng fixBackup true",
                    meaning: "Mends what it finds, and fetches from the live server what is lost and still there."),
                .init(
                    command: "doCoherencyCheck /opt/zimbra/backup/ng undo quarantine/2026-11-27T15-38-00",
                    meaning: "Brings back what that mending moved away."),
            ],
            notes: [
                "accounts: only their histories and contents, and the journal. With max_age (days) account by account; when each was checked is",
                "kept in the state folder.",
                "Without fixBackup nothing is written to the backup path. An index of the size of its own is made in $TMPDIR meanwhile.",
                "fixBackup writes damaged histories anew of what is left of them, in the journal, too; what is damaged or superfluous moves to",
                "quarantine/, with a manifest. Accounts that lost something are scanned. What cannot be mended is listed.",
                "Exit status: 0 sound, 1 something is damaged or differs, 2 stopped. Notes alone are no damage.",
            ], availability: .built),
        CommandSpecification("doCheckShares", "Reports every inconsistent share of local accounts.", acceptsStart: true),
        CommandSpecification("doFixShares", "Repairs shares with an import's id map.", [.mandatory("import_idmap_file", .path)]),
        CommandSpecification(
            "legalHold", "Shows, sets and lifts the legal hold of accounts: nothing of them is ever purged.",
            [.mandatory("action", .choice(["get", "set", "unset"])), .mandatory("accounts", .list), backupPath],
            examples: [
                .init(command: "legalHold get all", meaning: "Shows each account of the backup: address, id, set or unset."),
                .init(command: "legalHold set john@example.com,jane@example.com", meaning: "Keeps everything of these two from now on."),
                .init(command: "legalHold unset john@example.com", meaning: "What retention does not ask for goes with the next purge."),
            ],
            notes: ["accounts: all, or names and ids with commas between. all means those that are in the backup now."],
            availability: .built),
        CommandSpecification(
            "getProperty", "Shows properties.", [.standingAlone("name", .text, suggestions: BackupProperty.all.map(\.name))],
            examples: [
                .init(command: "getProperty", meaning: "Shows all properties and their values."),
                .init(command: "getProperty backupCompressionLevel", meaning: "Shows one."),
            ],
            notes: BackupProperty.all.map { "\($0.name): \($0.purpose)" }, availability: .built),
        CommandSpecification(
            "setProperty", "Sets a property; the running service obeys within a second.",
            [.mandatory("name", .text, suggestions: BackupProperty.all.map(\.name)), .mandatory("value", .text)],
            examples: [
                .init(command: "setProperty ZxBackup_SpaceThreshold 2048", meaning: "Stops writing while less than 2 GB are free.")
            ],
            notes: BackupProperty.all.map { "\($0.name): \($0.purpose) Default \($0.defaultValue)." }, availability: .built),
        CommandSpecification(
            "scheduler", "Shows and sets when the service does something by itself.",
            [
                .mandatory("job", .choice(["SmartScan", "purge", "coherencyCheck"])),
                .mandatory("action", .choice(["get", "set"])), .optional("enabled", .boolean), .optional("pattern", .text),
            ],
            examples: [
                .init(command: "scheduler purge get", meaning: "Shows when the service purges."),
                .init(command: "scheduler SmartScan set pattern \"30 2 * * *\"", meaning: "It scans at half past two every night."),
                .init(command: "scheduler purge set enabled false", meaning: "It does not purge by itself."),
                .init(command: "scheduler coherencyCheck set enabled true", meaning: "It checks the backup path every Sunday at one, beside its work."),
            ],
            notes: ["pattern: minute, hour, day, month and day of the week, as in a crontab; the machine's time."],
            availability: .built),
    ]

    private static let uuid = Parameter.mandatory("operation_uuid", .text)
    private static let part = Parameter.mandatory("service_name", .choice(ServicePart.allCases.map(\.rawValue)))

    private static let queue: [CommandSpecification] = [
        CommandSpecification(
            "getAllOperations", "Lists running and queued operations.", [.optional("verbose", .boolean, "false")],
            examples: [
                .init(command: "getAllOperations", meaning: "Shows what the service does, how far it is, and what waits for it."),
                .init(command: "getAllOperations verbose true", meaning: "And who asked for it, with which parameters."),
            ],
            notes: [
                "Restores run beside scans, and the scan of an account overtakes a doSmartScan. Operations survive the end of the service:",
                "what was queued or interrupted goes on when it runs again.",
            ], availability: .built),
        CommandSpecification(
            "monitor", "Follows an operation until it ends.", [uuid],
            examples: [.init(command: "monitor 6f1c2a4e-58a7-4f2e-9d3b-0d2c5a1e7b90", meaning: "Shows its figures, refreshed in place.")],
            notes: ["Its exit status is the operation's. Ctrl+C ends the watching, not the operation."], availability: .built),
        CommandSpecification(
            "doStopOperation", "Stops an operation, or takes it out of the queue.", [uuid],
            examples: [
                .init(command: "doStopOperation 6f1c2a4e-58a7-4f2e-9d3b-0d2c5a1e7b90", meaning: "What it has done by its next safe point stays.")
            ], availability: .built),
        CommandSpecification(
            "doStopAllOperations", "Stops the running operations and empties the queue.",
            examples: [.init(command: "doStopAllOperations", meaning: "The redo log is followed on.")], availability: .built),
        CommandSpecification(
            "getServices", "Lists the parts of the service.",
            examples: [.init(command: "getServices", meaning: "Shows which of them work.")], availability: .built),
        CommandSpecification(
            "doStartService", "Starts a part of the service.", [part],
            examples: [.init(command: "doStartService purge", meaning: "Purges by its schedule from now on.")], availability: .built),
        CommandSpecification(
            "doStopService", "Stops a part of the service, until it is started again.", [part],
            examples: [.init(command: "doStopService realTimeScanner", meaning: "Follows the redo log no more, and keeps its place.")],
            notes: ["The service itself is started and stopped by its unit: systemctl stop zxbackup."], availability: .built),
        CommandSpecification(
            "doRestartService", "Stops a part of the service, and starts it again.", [part],
            examples: [.init(command: "doRestartService realTimeScanner", meaning: "Goes on where it was, with a doSmartScan.")],
            availability: .built),
    ]

    private static let tools: [CommandSpecification] = [
        CommandSpecification(
            "redolog", "Reads redo logs: dump, verify.",
            examples: [.init(command: "redolog --help", meaning: "Lists its commands.")],
            availability: .subtree),
        CommandSpecification(
            "sandbox", "A small mail server in a folder, for trials and tests.",
            examples: [.init(command: "sandbox --help", meaning: "Lists its commands.")],
            availability: .subtree),
        CommandSpecification(
            "completion", "Prints a script with which a shell completes commands and parameters.",
            [.mandatory("shell", .choice(CompletionScript.Shell.allCases.map(\.rawValue))), .optional("line", .text)],
            examples: [
                .init(
                    command: "completion bash > /etc/bash_completion.d/zxbackup",
                    meaning: "For all users of bash, from the next login on."),
                .init(command: "completion zsh > /usr/share/zsh/vendor-completions/_zxbackup", meaning: "For all users of zsh."),
                .init(
                    command: "completion fish > /usr/share/fish/vendor_completions.d/zxbackup.fish",
                    meaning: "For all users of fish."),
            ],
            notes: ["With line, what the scripts ask for: what can follow on the line that is being typed."], availability: .built),
    ]
}
