import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

/// What a backup path must hold: a list of states for each item.
private struct Model {
    struct State: Equatable {
        var sequence: UInt64
        var folder: Int64
        var blob: BlobID?
    }
    var items: [Int64: [State]] = [:]
    var position: String?
    var sequence: UInt64 = 0

    func check(_ store: some StoreReading, _ context: String) throws {
        let info = try store.info()
        #expect(info.lastSequence == sequence && info.position == position, "\(context)")
        #expect(try store.items(account, .all).compactMap(\.key.itemID).sorted() == items.keys.sorted(), "\(context)")
        for (id, states) in items {
            let history = try store.history(of: .item(account: account, id: id))
            let found = history.lines.map { line in
                State(sequence: line.sequence, folder: line.fields["folder"]?.int ?? 0, blob: line.blobs.first?.id)
            }
            #expect(found == states && history.damage.isEmpty, "item \(id), \(history.damage): \(context)")
            #expect(history.lines.map(\.ordinal) == Array(1...Int64(states.count)), "\(context)")
            let latest = try store.item(account, id)
            #expect(latest?.sequence == states.last?.sequence, "\(context)")
            #expect(latest?.firstSequence == states.first?.sequence, "\(context)")
            for case let blob? in states.map(\.blob) { _ = try store.blobBytes(blob) }
        }
    }
}

extension HistoryKey {
    fileprivate var itemID: Int64? { if case .item(_, let id) = self { id } else { nil } }
}

@Suite("A backup path against a model")
struct ModelTests {
    @Test("Whatever is done in whatever order, the path holds what was committed", arguments: 1...6 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed &* 104_729)
        let store = try StoreOnDisk(reliableSyncfs: seed % 3 != 0)
        var writer = try store.open()
        var committed = Model()
        var pending = Model()
        var steps: [String] = []
        for step in 0..<60 {
            let context = "seed \(seed), \(steps.suffix(12))"
            switch Int.random(in: 0..<16, using: &generator) {
            case 0..<7:
                let id = Int64.random(in: 1...6, using: &generator)
                let folder = Int64(step) + 10
                let bytes = Array("body \(Int.random(in: 0..<5, using: &generator))".utf8)
                let blob = Bool.random(using: &generator) ? try writer.stageBlob(bytes) : nil
                let position = Bool.random(using: &generator) ? "p\(step)" : nil
                let sequence = try writer.append(
                    message(id, folder: folder, time: 1, change: Int64(step), blob: blob, position: position))
                pending.sequence += 1
                #expect(sequence == pending.sequence, "\(context)")
                pending.items[id, default: []].append(.init(sequence: sequence, folder: folder, blob: blob?.id))
                pending.position = position ?? pending.position
                steps.append("append \(id)")
            case 7, 8:
                try writer.commit()
                committed = pending
                steps.append("commit")
            case 9:
                try writer.rollback()
                pending = committed
                steps.append("rollback")
            case 10:
                try writer.commit()
                committed = pending
                try writer.checkpoint()
                steps.append("checkpoint")
            case 11:
                try writer.commit()
                committed = pending
                try writer.rebuildIndex()
                try committed.check(writer, "rebuilt, \(context)")
                steps.append("rebuild")
            case 12:
                let id = Int64.random(in: 1...6, using: &generator)
                let candidates = try writer.removeHistories([.item(account: account, id: id)], time: 1)
                _ = try writer.expireBlobs(candidates, day: "2026-11-25")
                if Bool.random(using: &generator) { try writer.emptyExpired(day: "2026-11-25") }
                pending.sequence += 1
                pending.items[id] = nil
                committed = pending
                steps.append("remove \(id)")
            default:
                let survival: Survival =
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0: .synced
                    case 1: .everything
                    default: .random(seed: generator.next())
                    }
                if Int.random(in: 0..<4, using: &generator) == 0 { try writer.close() }
                store.crash(writer, survival)
                if Bool.random(using: &generator) { store.removeIndex() }
                pending = committed
                steps.append("crash \(survival)")
                if Bool.random(using: &generator) {
                    let reader = try store.reader()
                    try committed.check(reader, "reader, \(context), \(steps.last!)")
                    reader.close()
                }
                writer = try store.open()
                try committed.check(writer, "\(context), \(steps.last!)")
            }
        }
        writer.abandon()
    }

    @Test("R7: a copy made file by file in any order holds what was committed before it", arguments: 1...5 as ClosedRange<UInt64>)
    func copies(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed &* 7919)
        let store = try StoreOnDisk()
        var writer = try store.open()
        var snapshots: [[String: [UInt8]]] = []
        var models: [Model] = []
        var model = Model()
        for n in 1...24 {
            let id = Int64.random(in: 1...4, using: &generator)
            let blob = try writer.stageBlob(Array("body \(n)".utf8))
            let sequence = try writer.append(
                message(id, folder: Int64(n), time: 1, change: Int64(n), blob: blob, position: "p\(n)"))
            try writer.commit()
            model.items[id, default: []].append(.init(sequence: sequence, folder: Int64(n), blob: blob.id))
            (model.sequence, model.position) = (sequence, "p\(n)")
            snapshots.append(store.disk.contents())
            models.append(model)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: try writer.checkpoint()
            case 1:
                store.crash(writer, .everything)
                writer = try store.open()
            default: continue
            }
            snapshots.append(store.disk.contents())
            models.append(model)
        }
        writer.abandon()

        for round in 0..<6 {
            let begin = Int.random(in: 0..<snapshots.count / 2, using: &generator)
            var time = begin
            var copy: [String: [UInt8]] = [:]
            func pass() { if time + 1 < snapshots.count, Int.random(in: 0..<3, using: &generator) == 0 { time += 1 } }
            for folder in ["zxbackup.json", "accounts/", "journal/", "items/"].shuffled(using: &generator) {
                pass()
                let listed = snapshots[time].keys.filter { $0.hasPrefix(folder) && !$0.contains(".tmp-") }.sorted()
                for name in listed.shuffled(using: &generator) {
                    pass()
                    copy[name] = snapshots[time][name]  // Gone meanwhile: left out.
                }
            }
            let folder = TemporaryFolder()
            let path = folder.appending("copy")
            let files = PosixFileSystem()
            for (name, bytes) in copy {
                let place = path.appending(name)
                try files.makeFolderIfMissing(path)
                try files.makeFolders(place.removingLastComponent(), below: path)
                let file = try files.open(place, .createNew)
                try bytes.withUnsafeBytes { try file.write($0, at: 0) }
                file.close()
            }
            let context = "seed \(seed), round \(round), snapshots \(begin)...\(time)"
            let reader = try StoreReader(opening: path)
            #expect(try reader.info().isCopy, "\(context)")
            #expect(try reader.info().lastSequence >= models[begin].sequence, "\(context)")
            for (id, states) in models[begin].items {
                let history = try reader.history(of: .item(account: account, id: id))
                let found = history.lines.map(\.sequence)
                #expect(found.starts(with: states.map(\.sequence)), "item \(id), \(history.damage): \(context)")
                for line in history.lines { for blob in line.blobs { _ = try reader.blobBytes(blob.id) } }
            }
            reader.close()
        }
    }
}
