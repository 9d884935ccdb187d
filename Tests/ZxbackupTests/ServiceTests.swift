import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

/// A connection of a client that does as it likes.
private struct RawClient {
    let descriptor: Int32

    init(_ socket: FilePath) throws { descriptor = try #require(try ServiceClient.connect(socket)) }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return }
            rest = rest.dropFirst(sent)
        }
    }

    /// Everything until the service closes.
    func readAll() -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(descriptor, &chunk, chunk.count, 0), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    func close() { _ = Glibc.close(descriptor) }
}

@Suite("The running service and the commands that write")
struct ServiceTests {
    private func workplace() throws -> Workplace {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.deliver(Workplace.message("One"), to: ["bob@example.com"])
        #expect(place.zx("init").status == .successful)
        return place
    }

    @Test("doAccountScan, setProperty and rebuildIndex are done by the running service; without one by the command itself")
    func writes() throws {
        let place = try workplace()
        let service = try Service(place)
        #expect(place.zx("serve", "--once").errors.contains("Another writer holds the lock"))

        let scan = place.zx("doAccountScan", "bob@example.com")
        #expect(
            scan.status == .successful && scan.text.contains("Checked Items: 18\n"), "\(scan.text)\(scan.errors)\(service.words)")
        let json = place.zx("--json", "doAccountScan", "bob@example.com")
        #expect(try JSONValue(json: json.text.trimmed()).object?["checked_items"]?.int == 18, "\(json.errors)")
        let unknown = place.zx("doAccountScan", "nobody@example.com")
        #expect(unknown.status == .failed && unknown.errors.contains("the server has no such account"))

        let set = place.zx("setProperty", "ZxBackup_RealTimeScanner", "false")
        #expect(set.status == .successful && set.text.contains("ZxBackup_RealTimeScanner"), "\(set.errors)")
        try service.wait { service.state?["held_because"]?.string == "ZxBackup_RealTimeScanner is false" }
        #expect(place.zx("setProperty", "ZxBackup_RealTimeScanner", "true").status == .successful)
        let refused = place.zx("setProperty", "backupCompressionLevel", "11")
        #expect(refused.status == .failed && refused.errors.contains("a number from 1 to 9"))

        let index = place.zx("rebuildIndex")
        #expect(index.status == .successful && index.text.contains("accounts"), "\(index.errors)")
        #expect(service.isRunning)
        #expect(service.end() == 0, "\(service.words)")
        #expect(!FileManager.default.fileExists(atPath: service.socket.string))

        let alone = place.zx("doAccountScan", "bob@example.com")
        #expect(alone.status == .successful && alone.text.contains("Checked Items: 18\n"), "\(alone.errors)")
        #expect(place.zx("rebuildIndex").status == .successful)
    }

    @Test("A property set beside the service's back is obeyed, too")
    func properties() throws {
        let place = try workplace()
        let service = try Service(place)
        try PropertyFile(stateFolder: place.folder.appending("state")).set(.realTimeScanner, to: "false")
        try service.wait { service.state?["held_because"]?.string != nil }
        #expect(service.end() == 0)
    }

    @Test("An order for another backup path is not the service's: the command does it itself")
    func elsewhere() throws {
        let place = try workplace()
        let service = try Service(place)
        let other = place.folder.appending("other").string
        #expect(place.zx("--backup-path", other, "init").status == .successful)
        let scan = place.zx("--backup-path", other, "doAccountScan", "bob@example.com")
        #expect(scan.status == .successful && scan.text.contains("Checked Items: 18\n"), "\(scan.errors)")
        let reader = try StoreReader(opening: FilePath(other))
        defer { reader.close() }
        #expect(try reader.accounts().count == 1)
        #expect(service.end() == 0)
    }

    @Test("Folder and socket are the owner's alone")
    func rights() throws {
        let place = try workplace()
        let service = try Service(place)
        func mode(_ path: FilePath) throws -> Int {
            try #require(try FileManager.default.attributesOfItem(atPath: path.string)[.posixPermissions] as? NSNumber).intValue
        }
        #expect(try mode(service.socket) == 0o600)
        #expect(try mode(service.socket.removingLastComponent()) == 0o700)
        let left = try FileManager.default.contentsOfDirectory(atPath: service.socket.removingLastComponent().string)
        #expect(!left.contains { $0.hasPrefix(".tmp-") })
        #expect(service.end() == 0)
    }

    @Test("A state folder that others may write to is refused")
    func openFolder() throws {
        let place = try workplace()
        let state = place.folder.appending("state").string
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: false)
        chmod(state, 0o777)
        let result = try Program.run(Program.path, ["--config", place.config, "serve"])
        #expect(result.status == 1 && result.errors.contains("others may write to the state folder"), "\(result.errors)")
    }

    @Test("Garbage, a line without end and clients that say nothing do not hurt the service")
    func garbage() throws {
        let place = try workplace()
        let service = try Service(place)
        let lines: [([UInt8], String)] = [
            (Array("GET / HTTP/1.1\r\n\r\n".utf8), "this is no order of zxbackup"),
            ([0, 255, 10], "this is no order of zxbackup"),
            (Array("{}\n".utf8), "this is no order of zxbackup"),
            (Array(#"{"zxbackup":1,"order":"state"}"#.utf8) + [10], "restart the service"),
            (Array(#"{"zxbackup":2,"order":"dance"}"#.utf8) + [10], "the order is unknown"),
            (Array(#"{"zxbackup":2,"order":"run","command":"doAccountScan"}"#.utf8) + [10], "the order is incomplete"),
            (
                Array(
                    ServiceOrder.run(.init(command: "doSmartScn", parameters: [:], backupPath: realPath(FilePath(place.backup))))
                        .line.utf8),
                "did you mean doSmartScan?"
            ),
            (
                Array(
                    ServiceOrder.run(
                        .init(
                            command: "getItem", parameters: ["account": "a", "item": "1"],
                            backupPath: realPath(FilePath(place.backup)))
                    ).line.utf8),
                "getItem is no command for the service"
            ),
            (
                Array(
                    ServiceOrder.run(
                        .init(command: "doAccountScan", parameters: [:], backupPath: realPath(FilePath(place.backup)))
                    ).line.utf8),
                "requires more parameters"
            ),
            ([UInt8](repeating: UInt8(ascii: "["), count: 1000) + [10], "this is no order of zxbackup"),
            ([UInt8](repeating: UInt8(ascii: "x"), count: 10_000_000), "an order is no longer than")
        ]
        for (bytes, reason) in lines {
            let client = try RawClient(service.socket)
            client.send(bytes)
            let answer = client.readAll()
            client.close()
            // Of what is sent beyond the limit the kernel may throw the answer away with the connection.
            #expect(answer.contains(reason) || answer.isEmpty && bytes.count > ServiceOrder.longest, "\(reason): \(answer)")
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let client = try RawClient(service.socket)
            client.send(
                (0..<Int.random(in: 0...300, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) })
            client.close()
        }
        // Clients that hang, and one that goes away while its command runs.
        let hanging = try (0..<20).map { _ in try RawClient(service.socket) }
        let leaver = try RawClient(service.socket)
        leaver.send(
            Array(
                ServiceOrder.run(
                    .init(
                        command: "doAccountScan", parameters: ["account": "bob@example.com"],
                        backupPath: realPath(FilePath(place.backup)))
                ).line.utf8))
        leaver.close()
        #expect(place.zx("doAccountScan", "bob@example.com").status == .successful)
        for client in hanging { client.close() }
        #expect(service.isRunning)
        #expect(service.end() == 0, "\(service.words)")
    }

    @Test("More clients than it can serve are turned away, and it goes on")
    func crowd() throws {
        let place = try workplace()
        let service = try Service(place)
        let crowd = try (0..<80).map { _ in try RawClient(service.socket) }
        #expect(crowd.suffix(10).allSatisfy { $0.readAll().contains("too many clients") })
        for client in crowd { client.close() }
        try service.wait { place.zx("doAccountScan", "bob@example.com").status == .successful }
        #expect(service.end() == 0)
    }

    @Test(
        "Another user's orders are refused, even where the socket lets him in",
        .enabled(
            if: geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv"), "needs root and setpriv(1)"))
    func foreigner() throws {
        let place = try workplace()
        let service = try Service(place)
        chmod(service.socket.string, 0o666)
        for folder in [place.folder, place.folder.appending("state")] { chmod(folder.string, 0o755) }
        let script = """
            my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
            print $s qq({"zxbackup":2,"order":"state"}\\n); $s->flush; print <$s>;
            """
        let result = try Program.run(
            "/usr/bin/setpriv",
            [
                "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/perl", "-MIO::Socket::UNIX", "-e", script,
                service.socket.string
            ])
        #expect(result.output.contains("user 65534 may not give orders"), "\(result.output)\(result.errors)")
        #expect(service.state != nil, "its owner still may")
        #expect(service.end() == 0)
    }

    /// Starts a command that writes, in a process of its own.
    private func scanOfBob(_ place: Workplace) throws -> (client: Process, errors: Pipe) {
        let client = Process()
        client.executableURL = URL(fileURLWithPath: Program.path)
        client.arguments = ["--config", place.config, "doAccountScan", "bob@example.com"]
        let errors = Pipe()
        client.standardError = errors
        client.standardOutput = FileHandle.nullDevice
        try client.run()
        return (client, errors)
    }

    @Test("A service that is killed while a command waits gives a clear error; what it leaves behind is in nobody's way")
    func killed() throws {
        let place = try workplace()
        let service = try Service(place)
        kill(service.pid, SIGSTOP)  // It hears, but cannot answer.
        let (client, errors) = try scanOfBob(place)
        usleep(300_000)
        service.killNow()
        let words = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        client.waitUntilExit()
        // Had it not sent the order yet, it finds no service and does the work itself.
        #expect(
            client.terminationStatus == 1 && words.contains("the service ended before it said that the command was done")
                || client.terminationStatus == 0, "\(words)")

        #expect(FileManager.default.fileExists(atPath: service.socket.string))
        #expect(place.zx("doAccountScan", "bob@example.com").status == .successful, "a dead socket is no service")
        let next = try Service(place)
        #expect(next.state?["pid"]?.int == Int64(next.pid))
        #expect(next.end() == 0)
    }

    @Test("Ctrl+C ends the waiting, not the command: exit status 4")
    func interrupted() throws {
        let place = try workplace()
        let service = try Service(place)
        kill(service.pid, SIGSTOP)
        let (client, errors) = try scanOfBob(place)
        usleep(500_000)
        kill(client.processIdentifier, SIGINT)
        let words = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        client.waitUntilExit()
        kill(service.pid, SIGCONT)
        #expect(client.terminationStatus == 4 && words.contains("goes on in the service"), "\(client.terminationStatus) \(words)")
        #expect(service.end() == 0)
    }
}
