import BackupCore
import BackupStore

/// `serve`: scans accounts never seen, then follows the redo log until SIGTERM or SIGINT.
enum Serve: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        let path = invocation.backupPath(configuration)
        let source = try configuration.openSource()
        StopRequest.install()
        let store = try StoreWriter(opening: path, serverID: source.identity.id)
        var lines = ProgressLines(console: console, json: invocation.options.json, everySecond: invocation.options.progress)
        lines.say("serve", ["server": .string(source.identity.name), "backup_path": .string(path.string)])
        // A path that nothing was written to has nothing to recover; its index is made now.
        if store.lastSequence > 0 { lines.show(store.recovery) }

        let engine = try BackupEngine(source: source, store: store)
        if invocation.flag("once") {
            let service = RunningService(invocation, configuration, server: source.identity.name, nil)
            return try work(engine, service, invocation, configuration, &lines)
        }
        let (file, operations) = Self.operations(configuration, &lines)
        let service = RunningService(invocation, configuration, server: source.identity.name, file)
        let socket = try ServiceSocket(stateFolder: configuration.stateFolder, service.handling)
        do {
            lines.critical = { service.notifier.tellCritical($0) }
            if let file { service.takeUp(operations, file) }
            service.beginReading()
            SystemdNotification.ready()
            let status = try work(engine, service, invocation, configuration, &lines)
            service.endOrders()
            try socket.end()
            return status
        } catch {
            service.notifier.tellCritical("the service ends: \(error)")
            service.endOrders()
            try? socket.end()  // Why the service ends is what is told.
            throw error
        }
    }

    /// The operations that an earlier service left. Where they cannot be read, the backup goes on without: nothing is kept then.
    private static func operations(_ configuration: Configuration, _ lines: inout ProgressLines) -> (OperationFile?, [QueuedOperation]) {
        do {
            let file = try OperationFile(stateFolder: configuration.stateFolder)
            return (file, try file.all())
        } catch {
            lines.say("notice", ["reason": .string("operations do not survive this service: \(error)")])
            return (nil, [])
        }
    }

    private static func work(
        _ engine: BackupEngine, _ service: RunningService, _ invocation: Invocation, _ configuration: Configuration,
        _ lines: inout ProgressLines
    ) throws -> CommandStatus {
        let properties = PropertyFile(stateFolder: configuration.stateFolder)
        engine.settings = try properties.settings()
        let scanned = try engine.begin { name, statistics in
            lines.say("scanned", ["account": .string(name), "items": .int(Int64(statistics.checkedItems))])
            for problem in statistics.problems { lines.say("problem", ["reason": .string(problem)]) }
        }
        if invocation.flag("once") {
            try engine.catchUp { lines.follow($0) }
        } else {
            service.enter(.following)
            SystemdNotification.status("following the redo log")
            var lastLook = ContinuousClock.now
            var spaceNoted: ContinuousClock.Instant?
            var schedule = Schedule(engine.settings, at: milliseconds())
            let path = invocation.backupPath(configuration)
            let check = service.check
            engine.atSafePoint = { engine in
                while service.carryOutNext(in: engine, moreUrgentThan: .whenever) {}
            }
            // A torn tail is what a crash leaves.
            var suspicions = engine.findings.contains { [.corrupt, .missing].contains($0.finding) } ? -1 : 0
            let spaceHistory = SpaceHistory(stateFolder: configuration.stateFolder, of: realPath(path))
            try engine.follow(
                until: { StopRequest.isMade },
                idle: {
                    if engine.heldBecause == nil { service.noteCaughtUp() }
                    lines.follow($0)
                },
                between: {
                    service.carryOutNext(in: engine)
                    service.update(engine)
                    guard ContinuousClock.now - lastLook >= .milliseconds(500) else { return }
                    lastLook = .now
                    service.notifier.sendCritical(at: milliseconds())
                    engine.settings = try properties.settings()
                    for command in schedule.due(engine.settings, at: milliseconds()) {
                        if command == "doCoherencyCheck" {
                            check.begin(because: "the schedule", at: milliseconds(), isScheduled: true)
                        } else {
                            try service.order(command)
                        }
                    }
                    if engine.statistics.suspicions > suspicions {
                        suspicions = engine.statistics.suspicions
                        check.begin(because: "something looked damaged", at: milliseconds(), isScheduled: false)
                    }
                    guard spaceNoted.map({ .now - $0 >= .seconds(600) }) ?? true else { return }
                    spaceNoted = .now
                    // Without a note `status` knows less, and says so; that ends no service.
                    try? spaceHistory.note(SpaceLeft(on: path), at: milliseconds())
                })
        }
        service.enter(.ending)
        SystemdNotification.stopping()
        lines.end(engine.statistics)
        try engine.close()
        lines.say(
            "closed", ["scanned_items": .int(Int64(scanned.checkedItems)), "last_sequence": .int(Int64(engine.lastSequence))])
        return .successful
    }
}

/// What the service prints: a line when something happened, and with `--progress` one a second.
private struct ProgressLines {
    let console: Console
    let json: Bool
    let everySecond: Bool
    /// Told of notices that must not wait.
    var critical: (String) -> Void = { _ in }
    private var shownNotices = 0
    private var shownTransactions = 0
    private var lastLine = ContinuousClock.now

    init(console: Console, json: Bool, everySecond: Bool) {
        self.console = console
        self.json = json
        self.everySecond = everySecond
    }

    /// `28/02/2014 04:01:14 scanned account=… items=…`, or an object a line.
    func say(_ event: String, _ members: JSONObject) {
        let now = milliseconds()
        guard !json else {
            console.write(JSONValue.object(JSONObject(
                [.init(name: "time", value: .string(TimeText.iso(now))), .init(name: "event", value: .string(event))] + members.members)))
            return
        }
        let words = members.members.map { "\($0.name)=" + ShownText.line($0.value.string ?? $0.value.json) }
        console.write("\(TimeText.local(now)) \(event) \(words.joined(separator: " "))\n")
    }

    /// What opening the backup path had to repair; nothing after a clean end.
    func show(_ recovery: RecoveryReport) {
        guard !recovery.isClean else { return }
        say("recovered", [
            "transactions": .int(Int64(recovery.replayed)), "lines": .int(Int64(recovery.linesAppended)),
            "index_rebuilt": .bool(recovery.indexRebuilt), "copy": .bool(recovery.wasCopy),
        ])
        for finding in recovery.findings { say("finding", ["reason": .string("\(finding)")]) }
    }

    mutating func follow(_ statistics: FollowStatistics) {
        for notice in statistics.notices.dropFirst(shownNotices) {
            say("notice", ["reason": .string(notice)])
            if notice.hasPrefix("Critical") { critical(notice) }
        }
        shownNotices = max(shownNotices, statistics.notices.count)
        let now = ContinuousClock.now
        guard everySecond, statistics.transactions != shownTransactions, now - lastLine >= .seconds(1) else { return }
        lastLine = now
        shownTransactions = statistics.transactions
        say("followed", ["transactions": .int(Int64(statistics.transactions))])
    }

    mutating func end(_ statistics: FollowStatistics) {
        follow(statistics)
        var members: JSONObject = ["transactions": .int(Int64(statistics.transactions)), "skipped": .int(Int64(statistics.skipped))]
        if !statistics.unapplied.isEmpty {
            members["not_applied_yet"] = .object(JSONObject(
                statistics.unapplied.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .int(Int64($0.value))) }))
        }
        say("followed", members)
    }
}
