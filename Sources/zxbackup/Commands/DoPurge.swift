import BackupCore
import BackupStore

/// `doPurge`: removes what was deleted longer ago than retention asks for.
enum DoPurge: ServiceCommand {
    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        let settings = engine.settings
        let days = invocation["purgeDays"].flatMap { Int64($0) } ?? settings.itemRetention
        guard days > 0 else {
            let reason = "the retention is 0: what is deleted is kept forever, and nothing is purged"
            if invocation.options.json {
                console.write(.object(["purged": false, "reason": .string(reason)]))
            } else {
                console.write(reason + "\n")
            }
            return .successful
        }
        var request = PurgeRequest(itemDays: days, accountDays: settings.accountRetention, isTrial: invocation.flag("dryrun"))
        request.purgesArchives = settings.purgesArchives
        let report = try engine.purge(request, stop: console.mustStop) { done, total in
            console.progress(Progress(what: "Account purged", done: Int64(done), total: Int64(total)))
        }
        for warning in report.warnings { console.errors(ShownText.line(warning) + "\n") }
        if invocation.options.json {
            console.write(.object(report.json))
        } else {
            console.write(report.block)
            console.write(report.statistics)
        }
        return report.isStopped ? .stopped : report.warnings.isEmpty ? .successful : .failed
    }
}

extension PurgeReport {
    /// The accounts that more of goes than a screen holds are counted.
    private static let shownAccounts = 100

    fileprivate var block: KeyValueBlock {
        var block = KeyValueBlock(
            "purge",
            [
                .pair("days that deleted items are kept", "\(request.itemDays)"),
                .pair("days that deleted accounts are kept", request.accountDays > 0 ? "\(request.accountDays)" : "forever"),
            ])
        if request.isTrial { block.add("dryrun", "true: nothing was removed") }
        for account in accounts.prefix(Self.shownAccounts) {
            let count = "\(account.items.count) \(account.items.count == 1 ? "item" : "items")"
            block.add(account.name, account.isWhole ? "the account, deleted, and \(count)" : "\(count), deleted \(account.when)")
        }
        if accounts.count > Self.shownAccounts { block.add("others", "\(accounts.count - Self.shownAccounts) accounts") }
        if !held.isEmpty { block.add("under legal hold", "\(held.count) \(held.count == 1 ? "account" : "accounts")") }
        return block
    }

    fileprivate var statistics: String {
        let stopped = isStopped ? "Stopped by request. The next purge goes on.\n" : ""
        guard !request.isTrial else {
            return "\n- stats -\nDeleted Items: \(items)\nDeleted Accounts: \(accounts.count { $0.isWhole })\n" + stopped
        }
        return """

            - stats -
            Purged Items: \(items)
            Purged Accounts: \(accounts.count { $0.isWhole })
            Contents Without Items: \(expired.count) (\(ByteText.of(expired.bytes)))
            Contents Removed: \(removed.count) (\(ByteText.of(removed.bytes)))
            Purged Archives: \(archives.count)

            """ + stopped
    }

    fileprivate var json: JSONObject {
        [
            "purged": .bool(!request.isTrial), "item_retention_days": .int(request.itemDays),
            "account_retention_days": .int(request.accountDays),
            "accounts": .array(accounts.map { .object($0.json(request)) }), "items": .int(Int64(items)),
            "legal_hold": .array(held.map { .string($0) }), "expired_contents": .int(expired.count),
            "expired_bytes": .int(expired.bytes), "removed_contents": .int(removed.count), "removed_bytes": .int(removed.bytes), "archives": .array(archives.map { .string($0.name) }),
            "stopped": .bool(isStopped), "warnings": .array(warnings.map { .string($0) }),
        ]
    }
}

extension PurgeReport.Account {
    /// When the items were deleted, or from when to when.
    fileprivate var when: String {
        guard let deletions else { return "" }
        let (first, last) = (TimeText.local(deletions.lowerBound), TimeText.local(deletions.upperBound))
        return first == last ? first : "\(first) to \(last)"
    }

    fileprivate func json(_ request: PurgeRequest) -> JSONObject {
        let what = isWhole ? "the account was" : "the items were"
        let days = isWhole ? request.accountDays : request.itemDays
        var members: JSONObject = [
            "id": .string(id), "name": .string(name), "whole": .bool(isWhole),
            "reason": .string("\(what) deleted more than \(days) \(days == 1 ? "day" : "days") ago"),
            "items": .array(items.map { .int($0) }),
        ]
        members["first_deletion"] = (deletions?.lowerBound).map { .string(TimeText.iso($0)) }
        members["last_deletion"] = (deletions?.upperBound).map { .string(TimeText.iso($0)) }
        return members
    }
}
