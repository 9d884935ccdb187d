import BackupStore
import SystemPackage

/// Tries damages on a sample.
final class FlipTrials {
    enum Verdict {
        case found
        case withoutEffect(String)
        case missed(String)
    }

    private let sample: FlipSample
    private let sound: StoreImage

    init(_ sample: FlipSample) throws {
        self.sample = sample
        sound = try StoreImage(sample.path, sample.disk)
        let report = try Self.check(sample.path, sample.disk)
        guard report.findings.isEmpty, sound.isWhole else {
            throw BrokenInvariant("the sample is not sound: \(report.findings) \(sound.told)")
        }
    }

    private static func check(_ path: FilePath, _ disk: SimulatedFileSystem) throws -> CheckReport {
        try FileStoreCheck(of: path, temporaryFolder: path.removingLastComponent(), files: disk).run()
    }

    /// Every damage, file by file.
    func damages(smallFile: Int) -> [(file: String, damages: [FlipDamage])] {
        var generator = SeededGenerator(seed: 7)
        return sample.files.keys.sorted().map { file in
            let bytes = sample.files[file]!
            var damages: [FlipDamage] = []
            for place in bytes.indices {
                if bytes.count <= smallFile {
                    for value in UInt8.min...UInt8.max where value != bytes[place] {
                        damages.append(FlipDamage(place: place, change: .value(value)))
                    }
                } else {
                    let value = bytes[place] ^ UInt8.random(in: 1...255, using: &generator)
                    damages.append(FlipDamage(place: place, change: .value(value)))
                }
            }
            if bytes.last == 10 {
                let lines = bytes.count { $0 == 10 }
                for line in 0..<lines {
                    damages.append(FlipDamage(place: line, change: .cutLine))
                    damages.append(FlipDamage(place: line, change: .removedLine))
                    if line + 1 < lines { damages.append(FlipDamage(place: line, change: .swappedLines)) }
                }
            }
            damages.append(FlipDamage(place: -2, change: .removedFile))
            if !bytes.isEmpty { damages.append(FlipDamage(place: -3, change: .emptiedFile)) }
            for (n, earlier) in (sample.earlier[file] ?? []).enumerated() {
                damages.append(FlipDamage(place: -4 - n, change: .rolledBack(earlier)))
            }
            return (file, damages)
        }
    }

    func judge(_ damage: FlipDamage, of file: String) throws -> Verdict {
        let disk = sample.disk.afterCrash(.everything)
        disk.keepsTrace = false
        let altered = damage.applied(to: sample.files[file]!)
        let isIndex = file == FlipSample.index
        if isIndex {
            try sample.placeIndex(altered)
        } else if let altered {
            disk.damage(file) { $0 = altered }
        } else {
            disk.vanish(file)
        }
        defer { if isIndex { try? sample.placeIndex(sample.files[file]!) } }  // The next trial's check would tell.

        let report: CheckReport?
        do {
            report = try Self.check(sample.path, disk)
        } catch is StoreError {
            report = nil  // Refused with a reason.
        }
        let image: StoreImage?
        var refusal = ""
        do {
            image = try StoreImage(sample.path, disk)
        } catch let error as StoreError {
            (image, refusal) = (nil, "\(error)")
        }
        // Of a damaged index the check tells; all else that is read was written. An older history may have states that were purged since.
        let isOlder = if case .rolledBack = damage.change { true } else { false }
        if !isIndex, !(isOlder && report?.isDamaged == true), let invented = image?.invented(besides: sound) { return .missed("read but never written: \(invented)") }
        guard let report, !report.isDamaged else { return .found }
        guard let image else { return .missed("the check finds no damage, but: \(refusal)") }
        if let difference = image.difference(from: sound) { return .missed("\(difference); \(report.findings)") }
        return .withoutEffect(Self.reason(file, report))
    }

    /// Why a damage has no effect.
    private static func reason(_ file: String, _ report: CheckReport) -> String {
        if let kind = report.findings.first?.kind { return "told of as a note: \(kind)" }
        if file == "journal/lock" { return "the lock's text is for people" }
        if file == "journal/instance" { return "the path counts as a copy, and is read as one" }
        if file == FlipSample.index { return "bytes of the index that say nothing" }
        if file.hasPrefix("items/") { return "bytes of a blob that say nothing of its content" }
        if file.hasPrefix("journal/checkpoint-") { return "more of the journal is replayed" }
        if file.hasPrefix("journal/segment-") { return "the segment is sealed, its states are in the histories" }
        if file.contains("/account_stat-") { return "a newer account_stat counts" }
        return "bytes of \(file.hasPrefix("accounts/") ? "a history" : file) that say nothing"
    }
}

/// Everything that can be read of a backup path.
struct StoreImage {
    /// What is read, by what it is about.
    private(set) var values: [String: String] = [:]
    /// Every state that was read, by history and sequence.
    private(set) var states: [String: String] = [:]
    /// What the reading told of: damage, errors.
    private(set) var told: [String] = []

    var isWhole: Bool { told.isEmpty }

    init(_ path: FilePath, _ disk: SimulatedFileSystem) throws {
        let store = try FileStoreReader(opening: path, temporaryFolder: path.removingLastComponent(), files: disk)
        defer { store.close() }
        let info = try store.info()
        values["info"] = "\(info.storeID) \(info.serverID) \(info.formatVersion) \(info.lastSequence) \(info.position ?? "none")"
        var keys: [HistoryKey] = []
        for account in try store.accounts().sorted() {
            try store.items(account, .all) { item in
                keys.append(item.key)
                take(item.key, item.sequence, item.fields, item.blobs, latest: true)
            }
            keys += [.accountInfo(account), .mailbox(account)]
            values["marks of \(account)"] = "\(try store.marks(account))"
            values["living items of \(account)"] = "\(try store.livingItems(account))"
            values["items in folder 4 of \(account)"] = "\(try store.items(account, .inFolder(4)).map(\.key))"
            for second in stride(from: Int64(1_795_577_000), to: 1_795_577_016, by: 5) {
                let cut = try store.cut(account, atOrBeforeSecond: second)
                values["cut of \(account) at \(second)"] = String(describing: cut)
            }
        }
        keys += try store.entries(of: .domains).sorted().map { .directory(.domains, $0) }
        var blobs: Set<BlobID> = []
        for key in keys {
            if let state = try store.state(of: key) { take(key, state.sequence, state.fields, state.blobs, latest: true) }
            let history = try store.history(of: key)
            told += history.damage.map(\.description)
            values["states of \(key)"] = "\(history.lines.map(\.sequence))"
            for line in history.lines {
                take(key, line.sequence, line.fields, line.blobs, latest: false)
                blobs.formUnion(line.blobs.map(\.id))
            }
        }
        for blob in blobs.sorted(by: { "\($0)" < "\($1)" }) {
            do {
                // The digest is checked on the way.
                values["blob \(blob)"] = String(decoding: try store.blobBytes(blob), as: UTF8.self)
            } catch let error as StoreError {
                told.append("\(error)")
            }
        }
        told += store.recovery.findings.map(\.description)
    }

    private mutating func take(
        _ key: HistoryKey, _ sequence: UInt64, _ fields: JSONObject, _ blobs: [BlobReference], latest: Bool
    ) {
        let text = "\(fields.json) \(blobs)"
        states["\(key) at \(sequence)"] = text
        if latest { values["latest state of \(key)"] = "\(sequence) \(text)" }
    }

    /// What differs from what was read of the sound path.
    func difference(from sound: StoreImage) -> String? {
        for (name, value) in sound.values where values[name] != value { return "\(name): \(values[name] ?? "nothing")" }
        if let more = values.keys.first(where: { sound.values[$0] == nil }) { return "\(more) is new" }
        return states == sound.states ? nil : "other states"
    }

    /// A state, or a blob's bytes, that the sound path never held.
    func invented(besides sound: StoreImage) -> String? {
        for (name, text) in states where sound.states[name] != text { return name }
        for (name, value) in values where name.hasPrefix("blob ") && sound.values[name] != value { return name }
        return nil
    }
}
