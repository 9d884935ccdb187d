// Makes large redo logs for measuring `zxbackup redolog verify`:
//
//     RedoLogGenerator mail BYTES FILE            messages as delivered, 35 KB on average, with true digests
//     RedoLogGenerator operations BYTES FILE SAMPLE…   the records of sample logs, again and again
import CLibcrypto
import Glibc
import RedoLog
import SystemPackage

/// SplitMix64: the same mail for everyone.
struct Generator: RandomNumberGenerator {
    var state: UInt64 = 42

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// The digest as the log has it: base64 of the SHA-256 with `,` for `/`.
func digest(_ bytes: [UInt8]) -> LogText {
    var hash = [UInt8](repeating: 0, count: 32)
    SHA256(bytes, bytes.count, &hash)
    var text = [UInt8](repeating: 0, count: 45)
    EVP_EncodeBlock(&text, hash, 32)
    return LogText(bytes: text.prefix(44).map { $0 == UInt8(ascii: "/") ? UInt8(ascii: ",") : $0 })
}

func writeMail(_ limit: Int64, _ path: FilePath) throws {
    var settings = LogWriter.Settings()
    settings.syncsStarts = false
    settings.softLimit = .max
    settings.hardLimit = .max
    let log = try LogWriter(
        location: LogLocation(log: path, archive: path.removingLastComponent().appending("archive")),
        serverID: "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", settings: settings)
    var random = Generator()
    let letters = Array("abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789+/\r\n".utf8)
    let text = (0..<1 << 20).map { _ in letters.randomElement(using: &random)! }
    var item: Int32 = 257
    while log.size < limit {
        // Most mails are small, some are large: the mean of an exponential distribution is its parameter.
        let size = min(text.count, max(600, Int(-35_000 * log1p(-Double.random(in: 0..<1, using: &random)))))
        let start = Int.random(in: 0...text.count - size, using: &random)
        let body = Array(text[start..<start + size])
        let message = CreateMessage {
            $0.recipient = "alice@example.com"
            $0.receivedDate = 1_780_000_000_000
            $0.digest = digest(body)
            $0.size = Int64(size)
            $0.itemID = item
            $0.folderID = 2
            $0.flags = 0x200
            $0.path = "/opt/zimbra/store/incoming/1780000000000-\(item).msg"
            $0.body = Body(length: Int64(size))
        }
        let id = try log.logStart(.createMessage(message), mailbox: Int64(item % 100) + 1, change: item, bodies: [.bytes(body)])
        try log.logCommit(id)
        item += 1
    }
    try log.close(rollsOver: false)
}

func writeOperations(_ limit: Int64, _ path: FilePath, _ samples: [FilePath]) throws {
    let output = try FileDescriptor.open(path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    defer { try? output.close() }
    var header = try LogFile(samples[0]).header()
    let records = try samples.flatMap { sample in
        let file = try LogFile(sample)
        return try file.read(at: Int64(FileHeader.length), count: Int(try file.size()) - FileHeader.length)
    }
    var size = Int64(FileHeader.length)
    try output.seek(offset: size, from: .start)
    while size < limit {
        try output.writeAll(records)
        size += Int64(records.count)
    }
    header.fileSize = size
    try output.seek(offset: 0, from: .start)
    try output.writeAll(header.bytes)
}

let arguments = Array(CommandLine.arguments.dropFirst())
switch (arguments.first, arguments.dropFirst().first.flatMap { Int64($0) }, arguments.count) {
case ("mail", let limit?, 3): try writeMail(limit, FilePath(arguments[2]))
case ("operations", let limit?, 4...): try writeOperations(limit, FilePath(arguments[2]), arguments[3...].map { FilePath($0) })
default:
    print("usage: RedoLogGenerator mail BYTES FILE | operations BYTES FILE SAMPLE…")
    exit(64)
}
