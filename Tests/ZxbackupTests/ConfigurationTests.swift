import SystemPackage
import Testing

@testable import zxbackup

@Suite("The configuration file")
struct ConfigurationTests {
    @Test("Server, backup path and state folder")
    func whole() throws {
        let read = try Configuration(
            yaml: "server: {kind: sandbox, path: /srv/mail}\nbackupPath: /srv/backup\nstateFolder: /srv/state\n", path: "/etc/z.yaml")
        #expect(read.server == .sandbox("/srv/mail"))
        #expect(read.backupPath == "/srv/backup")
        #expect(read.stateFolder == "/srv/state")
    }

    @Test("Relative paths start from the file's folder; what is missing has the manual's default")
    func relative() throws {
        let read = try Configuration(yaml: "server: {kind: log, path: logs}", path: "/etc/zx/z.yaml")
        #expect(read.server == .log("/etc/zx/logs"))
        #expect(try Configuration(yaml: "server: {kind: zimbra}", path: "z.yaml").server == .zimbra(nil))
        #expect(try Configuration(yaml: "server: {kind: Carbonio, path: home}", path: "/etc/z.yaml").server == .zimbra("/etc/home"))
        #expect(read.backupPath == "/opt/zimbra/backup/ng")
        #expect(read.stateFolder == "/var/lib/zxbackup")
        #expect(try Configuration(yaml: "", path: "z.yaml").server == .none)
    }

    @Test("What is not understood is refused by name", arguments: [
        ("backuppath: /x", "did you mean backupPath?"), ("server: sandbox", "server: {kind: …} is expected"),
        ("server: {kind: exchange, path: /x}", "'exchange'"), ("server: {kind: sandbox}", "path: …"), ("- a", "'name: value'"),
        ("a: [", "z.yaml"), ("server: {kind: zimbra, path: [a]}", "is no path"), ("backupPath: [a]", "backupPath is no path"),
    ])
    func refused(_ text: String, _ words: String) {
        do {
            _ = try Configuration(yaml: text, path: "z.yaml")
            Issue.record("accepted: \(text)")
        } catch {
            #expect("\(error)".contains(words), "\(error)")
        }
    }
}
