import SystemPackage

/// The history files of one backup path: appending, reading, repairing.
struct HistoryFiles<Files: FileSystem>: Sendable {
    let files: Files
    let path: BackupPath
    /// Whether each append is synced by itself because no syncfs can be trusted to do it at the checkpoint.
    let syncsEach: Bool

    init(files: Files, path: BackupPath) {
        self.files = files
        self.path = path
        syncsEach = !files.hasReliableSyncfs(path.root)
    }

    /// Appends a line that continues the history (R5: after its commit).
    func append(_ line: UnsafeRawBufferPointer, to key: HistoryKey) throws {
        let place = path.history(key)
        let file: Files.File
        do {
            file = try files.open(place, .createOrUpdate)
        } catch let error as Errno where error == .noSuchFileOrDirectory {
            try makeFolders(place.removingLastComponent())
            file = try files.open(place, .createOrUpdate)
        }
        defer { file.close() }
        var size = try file.size()
        if size > 0, try !file.endsWithNewline(at: size) {
            // A line torn behind the checkpoint's back stays damage of its own, and does not take this one with it (R6).
            let newline: [UInt8] = [UInt8(ascii: "\n")]
            try newline.withUnsafeBytes { try file.write($0, at: size) }
            size += 1
        }
        try file.write(line, at: size)
        if syncsEach {
            try file.sync()
            if size == 0 { try files.syncFolder(place.removingLastComponent()) }
        }
    }

    /// Makes durable what an earlier process wrote of a history: it may have died between the write and the sync.
    ///
    /// Where one syncfs does that at the checkpoint, there is nothing to do.
    func makeDurable(_ key: HistoryKey) throws {
        guard syncsEach else { return }
        let place = path.history(key)
        let file = try files.open(place, .update)
        defer { file.close() }
        try file.sync()
        try syncFolders(place.removingLastComponent())
    }

    /// Removes a history, whole (purge).
    func remove(_ key: HistoryKey) throws {
        let place = path.history(key)
        try files.removeIfThere(place)
        if syncsEach, try files.status(place.removingLastComponent()) != nil {
            try files.syncFolder(place.removingLastComponent())
        }
    }

    private func makeFolders(_ folder: FilePath) throws {
        try files.makeFolders(folder, below: path.root)
        guard syncsEach else { return }
        try syncFolders(folder.removingLastComponent())
    }

    /// Syncs a folder and those above it, up to the backup path.
    private func syncFolders(_ folder: FilePath) throws {
        var folder = folder
        try files.syncFolder(folder)
        while folder != path.root, folder.removeLastComponent() { try files.syncFolder(folder) }
    }

    /// What became of one line of a history file.
    enum Reading {
        case valid(HistoryLine, HistoryTail, UnsafeRawBufferPointer, FileLine)
        case bad(Damage, FileLine)
    }

    /// Hands out every line with a verdict: checksum, order and chain are checked.
    ///
    /// A line that is whole but does not continue the one before it is valid, preceded by the damage that says so.
    func read(_ key: HistoryKey, _ body: (Reading) throws -> Void) throws {
        let place = path.history(key)
        let name = path.relativeHistory(key)
        let file: Files.File
        do {
            file = try files.open(place, .read)
        } catch let error as Errno where error == .noSuchFileOrDirectory || error == .notDirectory {
            return
        }
        defer { file.close() }
        var tail = HistoryTail()
        var badLines: Int64 = 0
        try file.forEachLine { line in
            func bad(_ finding: Damage.Finding, _ reason: String) -> Damage {
                Damage(finding, file: name, offset: line.offset, length: line.length, reason: reason)
            }
            guard line.isTerminated, !line.isOverlong, let (state, previous, next) = HistoryCoding.decode(line.bytes) else {
                badLines += 1
                let torn = !line.isTerminated
                try body(
                    .bad(bad(torn ? .tornTail : .corrupt, torn ? "the last line is not complete" : "the line is damaged"), line))
                return
            }
            let expected = tail.ordinal + 1 + badLines
            if state.ordinal <= tail.ordinal || state.sequence <= tail.sequence {
                try body(.bad(bad(.corrupt, "line \(state.ordinal) follows line \(tail.ordinal)"), line))
                return
            }
            if state.ordinal > expected {
                let reason = "\(state.ordinal - expected) line(s) before line \(state.ordinal) are missing"
                try body(.bad(Damage(.missing, file: name, offset: line.offset, length: 0, reason: reason), line))
            } else if badLines == 0, previous != tail.checksum {
                let reason = "line \(state.ordinal) does not continue the line before it"
                try body(.bad(Damage(.corrupt, file: name, offset: line.offset, length: 0, reason: reason), line))
            }
            badLines = 0
            tail = next
            try body(.valid(state, next, line.bytes, line))
        }
    }

    /// All states that can be read, with what cannot.
    func history(of key: HistoryKey) throws -> History {
        var history = History()
        try read(key) { reading in
            switch reading {
            case .valid(let line, _, _, _): history.lines.append(line)
            case .bad(let damage, _): history.damage.append(damage)
            }
        }
        return history
    }

    /// What a repair did.
    struct Repair {
        var tail = HistoryTail()
        var cut: Damage?
        var damage: [Damage] = []
    }

    /// Cuts a history touched since the checkpoint at its first bad line (R5).
    ///
    /// Lines up to the sequence `floor` were durable at the checkpoint: bad lines before the last of them are damage, which is
    /// reported and stays; nothing before it is ever cut. Lines beyond `limit` belong to no transaction that the journal of a
    /// copy knows and are cut (R7). With `fromFloor`, everything behind the floor is cut: after a failed sync, what the page
    /// cache shows proves nothing (R10). What stays behind the floor is written once more: the process before may have died
    /// with such an error, and the kernel counts its pages as clean.
    func repair(_ key: HistoryKey, floor: UInt64, limit: UInt64, fromFloor: Bool, dryRun: Bool = false) throws -> Repair {
        var repair = Repair()
        var durableTail = HistoryTail()
        var durableEnd: Int64 = 0
        var cut: (offset: Int64, damage: Damage)?
        var end: Int64 = 0
        try read(key) { reading in
            switch reading {
            case .valid(let line, let tail, _, let place):
                if line.sequence <= floor {
                    // Bad lines before a durable line are older than the checkpoint: damage, not a torn tail.
                    if let earlier = cut { repair.damage.append(earlier.damage) }
                    cut = nil
                    durableTail = tail
                    durableEnd = place.end
                    repair.tail = tail
                } else if line.sequence > limit {
                    if cut == nil {
                        let reason = "the transaction is not in the journal of this copy"
                        cut = (
                            place.offset,
                            Damage(
                                .cutByCopy, file: path.relativeHistory(key), offset: place.offset, length: place.length,
                                reason: reason)
                        )
                    }
                } else if cut == nil {
                    repair.tail = tail
                }
                end = place.end
            case .bad(let damage, let place):
                if cut == nil { cut = (place.offset, damage) }
                end = max(end, place.end)
            }
        }
        if fromFloor, end > durableEnd {
            repair.tail = durableTail
            if cut == nil || cut!.offset > durableEnd {
                let reason = "written anew after a failed sync"
                cut = (durableEnd, Damage(.tornTail, file: path.relativeHistory(key), offset: durableEnd, reason: reason))
            }
        }
        let good = cut?.offset ?? end
        if !dryRun, cut != nil || good > durableEnd {
            let file = try files.open(path.history(key), .update)
            defer { file.close() }
            if let cut { try file.truncate(to: cut.offset) }
            try file.writeAgain(durableEnd..<max(durableEnd, good))  // Recovery syncs it, once a history (`makeDurable`).
        }
        guard let cut else { return repair }
        repair.cut = cut.damage
        repair.cut?.length = end - cut.offset
        return repair
    }

    /// Hands out every key of a scope that has a history file, folder by folder.
    ///
    /// - Parameters:
    ///   - unreadable: called for a folder that the system does not let read; without it that ends the walk.
    ///   - ended: called when all keys of an account were handed out.
    func forEachKey(
        in scope: CheckScope = .everything, unreadable: ((FilePath, Errno) throws -> Void)? = nil, ended: (_ account: String) throws -> Void = { _ in },
        _ body: (HistoryKey) throws -> Void
    ) throws {
        func list(_ folder: FilePath) throws -> [FolderEntry] {
            do {
                return try self.list(folder)
            } catch let error as Errno where unreadable != nil {
                try unreadable?(folder, error)
                return []
            }
        }
        for account in try list(path.accounts) where account.isFolder && scope.contains(account.name) {
            let folder = path.account(account.name)
            for entry in try list(folder) where !entry.isFolder {
                if entry.name == "account_info" { try body(.accountInfo(account.name)) }
                if entry.name == "mailbox" { try body(.mailbox(account.name)) }
            }
            for group in try list(folder.appending("items")) where group.isFolder {
                for entry in try list(folder.appending("items").appending(group.name)) where !entry.isFolder {
                    guard let id = Int64(entry.name) else { continue }
                    let key = HistoryKey.item(account: account.name, id: id)
                    // "items/05/7" or "items/07/+7" is not where item 7 lies.
                    let place = folder.appending("items").appending(group.name).appending(entry.name)
                    if path.history(key) == place { try body(key) }
                }
            }
            try ended(account.name)
        }
        guard scope.includesRest else { return }
        for kind in DirectoryKind.allCases {
            for entry in try list(path.root.appending(kind.rawValue)) where !entry.isFolder && isFileName(entry.name) {
                try body(.directory(kind, entry.name))
            }
        }
    }

    /// A folder's entries in a settled order, without unfinished files; nothing where there is no folder.
    func list(_ folder: FilePath) throws -> [FolderEntry] {
        do {
            return try files.list(folder).filter { !$0.name.hasPrefix(BackupPath.temporaryPrefix) }.sorted { $0.name < $1.name }
        } catch let error as Errno where error == .noSuchFileOrDirectory || error == .notDirectory {
            return []
        }
    }
}

extension OpenFile {
    /// Writes bytes again as they are, so that the next sync has something to do.
    fileprivate func writeAgain(_ range: Range<Int64>) throws {
        guard !range.isEmpty else { return }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(min(Int64(range.count), 1 << 18)), alignment: 16)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let wanted = Int(min(Int64(buffer.count), range.upperBound - offset))
            let count = try readFully(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset)
            guard count > 0 else { return }  // Cut by somebody else: what is missing is appended from the journal.
            try write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: offset)
            offset += Int64(count)
        }
    }

    /// Whether the byte before an offset ends a line.
    fileprivate func endsWithNewline(at offset: Int64) throws -> Bool {
        var last: UInt8 = 0
        let count = try withUnsafeMutableBytes(of: &last) { try read(into: $0, at: offset - 1) }
        return count == 1 && last == UInt8(ascii: "\n")
    }
}
