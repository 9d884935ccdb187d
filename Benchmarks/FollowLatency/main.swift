// From the server's commit to the durable state: a sandbox server under a steady load, followed by the engine in the same process.
//
//     swift run -c release FollowLatency [operations a second = 1000] [seconds = 60] [behind]
//
// ext4 passes over inodes that were deleted in the last minutes, one by one, whenever it makes a file: a run within six minutes of
// another one's end, or of the removal of a build folder, measures that (most of the time in `find_inode_bit`).
//
// With `behind` the follower starts when the load is over, and what it needs for all of it is measured.

import BackupCore
import BackupStore
import Dispatch
import Foundation
import SandboxServer
import Synchronization
import SystemPackage

let rate = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 1000 : 1000
let seconds = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 60 : 60

let isBehind = CommandLine.arguments.contains("behind")

let folder = FileManager.default.temporaryDirectory.appending(path: "zxbackup-latency-\(getpid())")
try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
defer { try? FileManager.default.removeItem(at: folder) }

let server = try SandboxServer.create(at: FilePath(folder.appending(path: "server").path))
let addresses = (0..<20).map { "user\($0)@example.com" }
var mailboxes: [SandboxMailbox] = []
for address in addresses {
    _ = try server.createAccount(name: address)
    mailboxes.append(try server.openMailbox(address))
}
let backupPath = FilePath(folder.appending(path: "backup").path)
try StoreWriter.create(backupPath, serverID: server.identity.id)

/// Set when the load is over.
let isOver = Atomic<Bool>(false)
let statistics = Mutex(FollowStatistics())
let failure = Mutex<String?>(nil)
let ready = DispatchSemaphore(value: 0)
let follower = Thread {
    do {
        let engine = try BackupEngine(source: server, store: try StoreWriter(opening: backupPath, serverID: server.identity.id))
        try engine.begin()
        ready.signal()
        if isBehind { while !isOver.load(ordering: .relaxed) { usleep(1000) } }
        let started = ContinuousClock.now
        try engine.follow { isOver.load(ordering: .relaxed) }
        try engine.catchUp()
        statistics.withLock { $0 = engine.statistics }
        if isBehind { print("caught up in \(ContinuousClock.now - started)") }
        try engine.close()
    } catch {
        failure.withLock { $0 = "\(error)" }
    }
    ready.signal()
}
follower.stackSize = 8 << 20
follower.start()
ready.wait()

let words = "window velvet garden kettle bridge orchard pencil signal market tunnel copper shadow harbour".split(separator: " ")
func body() -> String { (0..<Int.random(in: 20...400)).map { _ in words.randomElement()! }.joined(separator: " ") }

var ids: [[Int64]] = mailboxes.map { _ in [] }
let began = ContinuousClock.now
let total = rate * seconds
for number in 0..<total {
    let due = began + .microseconds(number * 1_000_000 / rate)
    let wait = due - ContinuousClock.now
    if wait > .zero { usleep(UInt32(wait.components.attoseconds / 1_000_000_000_000)) }
    let place = number % mailboxes.count
    let kind = ids[place].count < 5 ? 0 : Int.random(in: 0..<10)
    switch kind {
    case 0..<6:
        let text = "From: Jana <jana@example.net>\r\nTo: \(addresses[place])\r\nSubject: \(words.randomElement()!) \(number)\r\n\r\n\(body())\r\n"
        ids[place].append(try server.deliver(Array(text.utf8), to: [addresses[place]])[0].itemID)
    case 6, 7: try mailboxes[place].markRead([ids[place].randomElement()!], read: Bool.random())
    case 8: try mailboxes[place].alterFlag(.flagged, add: Bool.random(), of: [ids[place].randomElement()!])
    default: try mailboxes[place].move([ids[place].randomElement()!], to: [2, 3, 5].randomElement()!)
    }
}
let took = ContinuousClock.now - began
isOver.store(true, ordering: .relaxed)
ready.wait()

if let text = failure.withLock({ $0 }) {
    print("failed: \(text)")
    exit(1)
}
let result = statistics.withLock { $0 }
let achieved = Double(total) / (Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18)
print(
    """
    \(total) operations in \(took), \(Int(achieved)) a second; \(result.transactions) transactions followed
    from the server's commit to the durable state: p50 \(result.lag.percentile(0.5)) ms, p99 \(result.lag.percentile(0.99)) ms, \
    max \(result.lag.longest) ms
    """)
