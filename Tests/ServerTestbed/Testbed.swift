import Foundation
import Glibc
import SystemPackage

/// A MariaDB and an OpenLDAP that look like a mail server's, in a folder of their own, and the home of that server.
///
/// The scripts in `Testbed/` start them; nothing of the machine's own is touched.
public final class Testbed {
    /// Why a testbed does not do what it should.
    public struct Failure: Error, CustomStringConvertible {
        /// In words.
        public var description: String
    }

    /// Whether MariaDB and OpenLDAP are installed.
    public static let isAvailable = ["mariadbd", "slapd", "ldapadd", "mariadb"].allSatisfy { name in
        ["/usr/sbin/", "/usr/bin/", "/usr/local/bin/"].contains { FileManager.default.isExecutableFile(atPath: $0 + name) }
    }

    private static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Testbed").standardized

    private let folder: URL
    /// The server's home: `conf/localconfig.xml`, its stores and its redo log.
    public var home: FilePath { FilePath(folder.appending(path: "home").path) }
    /// The URL of the directory's socket.
    public private(set) var directoryURL = ""
    /// The path of the database's socket.
    public private(set) var databaseSocket = ""

    /// Starts both servers with the tables of Zimbra 10.1 (schema level 118), or of an older one or a Carbonio (111).
    ///
    /// What was started is stopped with the last reference, also where something failed.
    ///
    /// - Parameter level: 118 or 111.
    public init(level: Int = 118) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "zxtb-\(UUID().uuidString.prefix(13))")
        let files = FileManager.default
        for name in ["home/conf", "home/store/incoming", "home/index", "home/redolog/archive"] {
            try files.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        databaseSocket = try Self.script("mariadb.sh", ["start", folder.appending(path: "sql").path])
        directoryURL = try Self.script("slapd.sh", ["start", folder.appending(path: "ldap").path], ["SLAPD_PORT": "none"])
        var tables = try Self.text("zimbra.sql").replacingOccurrences(of: "@ROOT@", with: home.string)
        if level > 111 { tables += try Self.text("zimbra10.sql") }
        try sql(tables)
        try writeLocalConfig()
    }

    deinit { remove() }

    /// Writes `localconfig.xml` with the testbed's places; `more` replaces and adds keys.
    public func writeLocalConfig(_ more: [String: String] = [:]) throws {
        var keys = [
            "zimbra_home": home.string, "zimbra_server_hostname": "mail.example.com", "mysql_socket": databaseSocket,
            "zimbra_mysql_password": "zimbra", "ldap_url": directoryURL, "ldap_master_url": directoryURL, "zimbra_ldap_password": "zimbra",
        ]
        keys.merge(more) { $1 }
        let lines = keys.sorted { $0.key < $1.key }.map { "  <key name=\"\($0.key)\">\n    <value>\($0.value)</value>\n  </key>\n" }
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<localconfig>\n\(lines.joined())</localconfig>\n"
        try text.write(toFile: home.appending("conf/localconfig.xml").string, atomically: true, encoding: .utf8)
    }

    /// Stops both servers and removes the folder.
    public func remove() {
        stopDatabase()
        stopDirectory()
        try? FileManager.default.removeItem(at: folder)  // A temporary folder: what stays there is the system's.
    }

    /// Stops the database; `startDatabase` brings it back.
    public func stopDatabase() { _ = try? Self.script("mariadb.sh", ["stop", folder.appending(path: "sql").path]) }

    /// Starts the database again.
    public func startDatabase() throws { _ = try Self.script("mariadb.sh", ["start", folder.appending(path: "sql").path]) }

    /// Stops the directory; `startDirectory` brings it back.
    public func stopDirectory() { _ = try? Self.script("slapd.sh", ["stop", folder.appending(path: "ldap").path]) }

    /// Starts the directory again.
    public func startDirectory() throws {
        _ = try Self.script("slapd.sh", ["start", folder.appending(path: "ldap").path], ["SLAPD_PORT": "none"])
    }

    /// Creates the tables of a mailbox group.
    public func createGroup(_ id: Int64) throws {
        try sql(try Self.text("mboxgroup.sql").replacingOccurrences(of: "@DB@", with: "mboxgroup\(id)"))
    }

    /// Runs statements as the database's root.
    public func sql(_ statements: String) throws {
        _ = try Self.script("mariadb.sh", ["sql", folder.appending(path: "sql").path], input: statements)
    }

    /// Adds entries to the directory.
    public func load(ldif text: String) throws {
        let file = folder.appending(path: "load-\(UUID().uuidString).ldif")
        try text.write(to: file, atomically: true, encoding: .utf8)
        _ = try Self.script("slapd.sh", ["load", folder.appending(path: "ldap").path, file.path])
    }

    /// Copies a folder of contents into another volume's root, beside what is there.
    public func merge(_ folder: FilePath, into root: FilePath) throws { _ = try Self.run(["cp", "-r", folder.string, root.string + "/"]) }

    /// Gives every account another home.
    public func moveAccounts(to host: String) throws {
        let names = try dumpDirectory().split(separator: "\n").filter { $0.hasPrefix("dn: uid=") && $0.contains("ou=people") }
        try modify(
            ldif: names.map { "\($0)\nchangetype: modify\nreplace: zimbraMailHost\nzimbraMailHost: \(host)\n" }.joined(separator: "\n"))
    }

    /// Changes entries of the directory.
    public func modify(ldif changes: String) throws {
        _ = try Self.run(["ldapmodify", "-x", "-H", directoryURL, "-D", "cn=config", "-w", "secret"], input: Data(changes.utf8))
    }

    /// Unpacks a compressed tar archive.
    public static func unpack(_ archive: FilePath, into folder: FilePath) throws {
        _ = try run(["tar", "-xzpf", archive.string, "-C", folder.string])
    }

    /// An OpenLDAP without an entry, in a folder of its own.
    public final class EmptyDirectory {
        private let folder = FileManager.default.temporaryDirectory.appending(path: "zxtb-\(UUID().uuidString.prefix(13))")

        /// Starts it.
        public init() throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            _ = try Testbed.script("slapd.sh", ["start", folder.path], ["SLAPD_PORT": "none"])
        }

        deinit { remove() }

        /// Loads a compressed dump as the directory's own tool does: with the server stopped.
        public func load(gzipped file: FilePath) throws {
            let plain = folder.appending(path: "dump.ldif")
            try Data(Testbed.run(["gzip", "-dc", file.string]).utf8).write(to: plain)
            _ = try Testbed.script("slapd.sh", ["stop", folder.path])
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            _ = try Testbed.run(
                ["slapadd", "-f", folder.appending(path: "slapd.conf").path, "-n", "1", "-l", plain.path], ["PATH": path + ":/usr/sbin"])
            _ = try Testbed.script("slapd.sh", ["start", folder.path], ["SLAPD_PORT": "none"])
        }

        /// The whole directory as LDIF, as the server's own tools show it.
        public func dump() throws -> String { try Testbed.script("slapd.sh", ["dump", folder.path]) }

        /// Stops it and removes the folder.
        public func remove() {
            _ = try? Testbed.script("slapd.sh", ["stop", folder.path])
            try? FileManager.default.removeItem(at: folder)  // A temporary folder: what stays there is the system's.
        }
    }

    /// Adds the 54 entries of the sample directory.
    public func loadSampleDirectory() throws { try load(ldif: try Self.text("sample.ldif")) }

    /// The whole directory as LDIF, as the server's own tools show it.
    public func dumpDirectory() throws -> String { try Self.script("slapd.sh", ["dump", folder.appending(path: "ldap").path]) }

    static func text(_ name: String) throws -> String { try String(contentsOf: scripts.appending(path: name), encoding: .utf8) }

    private static func script(
        _ name: String, _ words: [String], _ environment: [String: String] = [:], input: String? = nil
    ) throws -> String {
        try run(["sh", scripts.appending(path: name).path] + words, environment, input: input.map { Data($0.utf8) })
    }

    /// Runs a program and returns what it prints.
    ///
    /// By the system's own call: a server that a script starts would keep the descriptor whose end Foundation's `Process` waits for.
    static func run(_ words: [String], _ environment: [String: String] = [:], input: Data? = nil) throws -> String {
        let names = (0..<3).map { _ in FileManager.default.temporaryDirectory.appending(path: "zxtb-\(UUID().uuidString)") }
        defer { names.forEach { try? FileManager.default.removeItem(at: $0) } }  // Temporary files.
        for (name, data) in zip(names, [input ?? Data(), Data(), Data()]) { try data.write(to: name) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, name) in names.enumerated() {
            posix_spawn_file_actions_addopen(&actions, CInt(number), name.path, number == 0 ? O_RDONLY : O_WRONLY, 0o600)
        }
        // One that is not open is no error.
        for number in 3..<256 as Range<CInt> { posix_spawn_file_actions_addclose(&actions, number) }
        let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0.key)=\($0.value)" }
        var arguments = words.map { strdup($0) } + [nil]
        var variables = all.map { strdup($0) } + [nil]
        defer { (arguments + variables).forEach { free($0) } }
        var process: pid_t = 0
        let code = posix_spawnp(&process, words[0], &actions, nil, &arguments, &variables)
        guard code == 0 else { throw Failure(description: "\(words[0]): \(String(cString: strerror(code)))") }
        var status: CInt = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else {
            let said = (try? String(contentsOf: names[2], encoding: .utf8)) ?? ""
            throw Failure(description: "\(words.prefix(3).joined(separator: " ")) ended with status \(status): \(said.prefix(2000))")
        }
        return try String(contentsOf: names[1], encoding: .utf8).trimmingCharacters(in: .newlines)
    }
}
