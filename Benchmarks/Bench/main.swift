// zxbackup against restic and borg, on the same mail, in one run; see Documentation/Performance.md.
//
//     swift run -c release Bench [--kind mixed|text|large] [--messages 20000] [--pairs 5] [--folder DIR] [--page FILE]

import Foundation
import SandboxServer
import SystemPackage

var options: [String: String] = ["kind": "mixed", "messages": "20000", "pairs": "5", "page": "", "folder": NSTemporaryDirectory()]
var words = CommandLine.arguments.dropFirst()
while let word = words.popFirst() {
    guard word.hasPrefix("--"), options[String(word.dropFirst(2))] != nil, let value = words.popFirst() else {
        print("unknown: \(word)")
        exit(64)
    }
    options[String(word.dropFirst(2))] = value
}
guard let kind = Corpus.Kind(rawValue: options["kind"] ?? ""), let count = Int(options["messages"] ?? ""), let pairs = Int(options["pairs"] ?? ""),
    count >= 100, pairs >= 1
else {
    print("--kind mixed|text|large, --messages from 100 on, --pairs from 1 on")
    exit(64)
}

let place = (options["folder"] ?? "/tmp") + "/zxbackup-bench-\(getpid())"
try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
// Nothing is removed between the runs: ext4 passes over inodes that were deleted a short while ago whenever it makes a file.
defer { try? FileManager.default.removeItem(atPath: place) }
var runner = Runner(log: place + "/log")
runner.environment = [
    "RESTIC_PASSWORD": "bench", "BORG_BASE_DIR": place + "/borg", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
]

// MARK: The server

let addresses = (0..<20).map { "user\($0)@example.com" }
var corpus = Corpus(kind, seed: 1)
let server = try SandboxServer.create(at: FilePath(place + "/server"))
var folders: [String: String] = [:]
for address in addresses {
    _ = try server.createAccount(name: address)
    folders[address] = place + "/server/store/0/\(try server.openMailbox(address).mailboxID)"
}
var last = Message(account: "", id: 0, file: "")
@MainActor func deliver(_ count: Int) throws {
    var delivered = 0
    while delivered < count {
        let (message, recipients) = corpus.next(of: addresses)
        let deliveries = try server.deliver(message, to: recipients)
        delivered += deliveries.count
        // One file alone: borg has the content of a second link with the first only.
        if recipients.count == 1 { last = Message(account: recipients[0], id: deliveries[0].itemID, file: "") }
    }
    let folder = folders[last.account] ?? ""
    let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
    guard let name = names.first(where: { ($0.split(separator: "/").last ?? "").hasPrefix("\(last.id)-") }) else {
        throw Failed(description: "the file of message \(last.id) is not below \(folder)")
    }
    last.file = folder + "/" + name
}
print("delivering \(count) messages")
try deliver(count)
let store = place + "/server/store"
let source = Runner.usage(of: store)

// MARK: The runs

let program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("zxbackup").path
let ours = Ours(program: program, server: place + "/server", accounts: addresses)
let tools: [any Tool] = [ours, Restic(store: store, folders: folders), Borg(store: store, folders: folders)]
var results = Results(kind: kind.rawValue, messages: count, sourceBytes: source.bytes, sourceFiles: source.inodes)

@MainActor func measure(_ work: String, _ tool: any Tool, _ body: () throws -> Run) throws {
    let run = try body()
    results.add(run, work, tool.name)
    print("\(work), \(tool.name): \(String(format: "%.3f", run.seconds)) s, \(run.peakMemory >> 20) MB")
}

for pair in 0..<pairs {
    func folder(_ tool: any Tool) -> String { place + "/\(tool.name)-\(pair)" }
    // The server rests while it is read; its log is whole.
    try server.close(rollingOver: true)
    for tool in tools { try tool.begin(folder(tool), runner) }
    for tool in tools { try measure("first scan", tool) { try tool.scan(folder(tool), runner) } }
    for tool in tools where pair == 0 { results.use(Runner.usage(of: folder(tool)), tool.name) }
    for tool in tools { try measure("unchanged scan", tool) { try tool.scan(folder(tool), runner) } }
    try deliver(count / 100)
    for tool in tools { try measure("changed scan", tool) { try tool.scan(folder(tool), runner) } }
    for tool in tools { try measure("restore all", tool) { try tool.restore(nil, from: folder(tool), to: place + "/all-\(tool.name)-\(pair)", runner) } }
    for tool in tools {
        try measure("restore account", tool) {
            try tool.restore([addresses[0]], from: folder(tool), to: place + "/account-\(tool.name)-\(pair)", runner)
        }
    }
    for tool in tools {
        let file = place + "/one-\(tool.name)-\(pair)"
        try measure("restore one", tool) { try tool.restoreOne(last, from: folder(tool), to: file, runner) }
    }
    for tool in tools { try measure("verify", tool) { try tool.verify(folder(tool), runner) } }
    for tool in tools where Runner.dropCaches() {
        try measure("verify, cold", tool) { try tool.verify(folder(tool), runner) }
    }
    for tool in tools where Runner.dropCaches() {
        let cold = folder(tool) + "-cold"
        try tool.begin(cold, runner)
        _ = Runner.dropCaches()
        try measure("first scan, cold", tool) { try tool.scan(cold, runner) }
    }

    // What has no peer.
    let own = folder(ours)
    try measure("start of the command", ours) { try runner.run([program, "--version"]) }
    try measure("getItem", ours) { try runner.run(ours.words(own, ["getItem", last.account, "\(last.id)"]), output: place + "/item") }
    try measure("doItemSearch", ours) {
        try runner.run(ours.words(own, ["doItemSearch", last.account, "id", "\(last.id)", "search_filter", "all"]), output: place + "/item")
    }
    try measure("rebuildIndex", ours) { try runner.run(ours.words(own, ["rebuildIndex"])) }
    try measure("redolog verify", ours) { try runner.run([program, "redolog", "verify", place + "/server/redolog"], output: place + "/verified") }
}

// MARK: The restored is the original

for tool in tools {
    guard try Data(contentsOf: URL(fileURLWithPath: last.file)).isInside(place + "/one-\(tool.name)-\(pairs - 1)") else {
        throw Failed(description: "what \(tool.name) restored is not the message")
    }
}

let page = results.page(Machine())
print(page.text)
let bench = ".build/bench"
try FileManager.default.createDirectory(atPath: bench, withIntermediateDirectories: true)
try results.json().write(to: URL(fileURLWithPath: bench + "/results.json"))
if let file = options["page"], !file.isEmpty {
    let chart = file.replacingOccurrences(of: ".md", with: "-\(kind.rawValue).svg")
    try Data(page.text.utf8).write(to: URL(fileURLWithPath: bench + "/page-\(kind.rawValue).md"))
    try Data(page.chart.utf8).write(to: URL(fileURLWithPath: chart))
    try results.insert(page.text, into: file)
}

extension Data {
    /// Whether a file ends with these bytes: `getItem` prints the states of the item before its content.
    func isInside(_ file: String) throws -> Bool {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        return bytes.suffix(count) == self || bytes.dropLast().suffix(count) == self
    }
}
