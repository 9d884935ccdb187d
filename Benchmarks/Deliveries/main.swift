// How many messages a second a sandbox server takes, by its API and by LMTP on the loopback.
//
//     swift run -c release Deliveries [messages = 10000] [bytes of a message, 0 = as mail is] [connections = 2]

import Foundation
import Glibc
import SandboxServer
import Synchronization
import SystemPackage

let arguments = CommandLine.arguments.dropFirst().map { Int($0) ?? 0 }
let count = arguments.first ?? 10_000
let size = arguments.count > 1 && arguments[1] > 0 ? arguments[1] : nil
let connections = arguments.count > 2 ? max(1, arguments[2]) : 2

let addresses = (0..<20).map { "user\($0)@example.com" }
var text = MailText(seed: 1)
let messages = (0..<min(count, 2000)).map { text.write(to: addresses[$0 % addresses.count], size: size).bytes }
let bytes = messages.reduce(0) { $0 + $1.count }
print("\(messages.count) different messages of \(bytes / messages.count) bytes on average, \(addresses.count) mailboxes")

/// Runs `body` on a fresh server, and says how long it took for `count` messages.
func measure(_ what: String, _ body: (SandboxServer) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "zxbackup-deliveries-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }  // A temporary folder.
    let server = try SandboxServer.create(at: FilePath(folder.appending(path: "server").path))
    for address in addresses {
        _ = try server.createAccount(name: address)
        _ = try server.openMailbox(address)
    }
    let before = processorTime()
    let time = try ContinuousClock().measure { try body(server) }
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    let perDelivery = Int((processorTime() - before) / Double(count) * 1e6)
    let rate = Int(Double(count) / seconds)
    let rounded = (seconds * 100).rounded() / 100
    print("\(what): \(count) deliveries in \(rounded) s, \(rate) a second, \(perDelivery) µs of processor time each")
    try server.close()
}

/// Seconds that this process spent on the processors: what a busy machine does not change.
func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

try measure("API") { server in
    for number in 0..<count {
        try server.deliver(messages[number % messages.count], to: [addresses[number % addresses.count]])
    }
}

try measure("LMTP, \(connections) connections") { server in
    let listener = try LMTPServer(server, port: 0)
    let next = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: connections) { _ in
        let client = Client(port: listener.port)
        while true {
            let number = next.add(1, ordering: .relaxed).oldValue
            guard number < count else { return }
            client.deliver(messages[number % messages.count], to: addresses[number % addresses.count])
        }
    }
    try listener.close()
}

/// A client of LMTP that stays connected, and pipelines as mail transfer agents do.
final class Client {
    private let socket: CInt
    private var buffer = [UInt8](repeating: 0, count: 4096)

    init(port: Int) {
        socket = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        precondition(status == 0, "connecting")
        expect("220", lines: 1)
        send(Array("LHLO client\r\n".utf8))
        expect("250", lines: 5)
    }

    deinit { close(socket) }

    func deliver(_ message: [UInt8], to address: String) {
        send(Array("MAIL FROM:<sender@example.org>\r\nRCPT TO:<\(address)>\r\nDATA\r\n".utf8))
        expect("354", lines: 3)
        // The texts of this program have no line that begins with a dot.
        send(message + ".\r\n".utf8)
        expect("250", lines: 1)
    }

    private func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, 0) }
            precondition(count > 0, "sending")
            sent += count
        }
    }

    /// Reads that many lines; the last one begins with `code`.
    private func expect(_ code: String, lines: Int) {
        var text = ""
        while text.utf8.count(where: { $0 == 10 }) < lines {
            let count = recv(socket, &buffer, buffer.count, 0)
            precondition(count > 0, "reading")
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
        let last = text.split(whereSeparator: \.isNewline).last ?? ""
        precondition(last.hasPrefix(code), "the server says \(last)")
    }
}
