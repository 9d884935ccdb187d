import BackupCore
import Foundation
import SystemPackage
import Testing

@testable import ZimbraServer

@Suite("localconfig.xml")
struct LocalConfigTests {
    /// Reads a file with this text.
    private func read<Result>(_ text: String, home name: String = "zimbra", _ body: (LocalConfig) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zxlc-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }  // A temporary folder.
        let home = folder.appending(path: name)
        try FileManager.default.createDirectory(at: home.appending(path: "conf"), withIntermediateDirectories: true)
        try text.write(to: home.appending(path: "conf/localconfig.xml"), atomically: true, encoding: .utf8)
        return try body(try LocalConfig(home: FilePath(home.path)))
    }

    private func document(_ keys: [(String, String)]) -> String {
        "<?xml version=\"1.0\"?>\n<localconfig><!-- ours -->\n"
            + keys.map { "<key name=\"\($0)\"><value>\($1)</value></key>\n" }.joined() + "</localconfig>"
    }

    @Test("Values, defaults and references; the last of a name wins; absent is nil")
    func values() throws {
        let text = document([
            ("zimbra_home", "/opt/zimbra"), ("ldap_url", "old"), ("ldap_url", "ldap://a:389 ldap://b:389"), ("empty", ""),
            ("deep", "x${zimbra_home}/y&amp;${empty}z"), ("zimbra_mysql_password", "s3cret"),
        ])
        try read(text) { config in
            #expect(try config.value("zimbra_home") == "/opt/zimbra")
            #expect(try config.value("ldap_url") == "ldap://a:389 ldap://b:389")
            #expect(try config.value("deep") == "x/opt/zimbra/y&z")
            #expect(try config.value("mysql_socket") == "/opt/zimbra/data/tmp/mysql/mysql.sock")
            #expect(try config.value("empty") == "" && config.value("nothing_like_it") == nil)
            #expect(!config.isCarbonio)
            #expect(!"\(config)".contains("s3cret"))
            let settings = try DatabaseSettings(config)
            #expect(settings.place == .network(host: "127.0.0.1", port: 7306) && settings.user == "zimbra" && settings.password == "s3cret")
            #expect(!"\(settings)".contains("s3cret"))
            #expect(try DirectorySettings(config).urls == ["ldap://a:389", "ldap://b:389"])
        }
    }

    @Test("A Carbonio's defaults are its own")
    func carbonio() throws {
        try read(document([("zimbra_home", "/opt/zextras")]), home: "zextras") { config throws in
            #expect(config.isCarbonio)
            #expect(try config.value("zimbra_mysql_user") == "zextras" && config.value("mysql_socket") == "/run/carbonio/mysql.sock")
        }
    }

    @Test(
        "References in a circle, to nothing, or that grow without end are errors, not hangs",
        arguments: [
            [("a", "${b}"), ("b", "${a}")], [("a", "${a}")], [("a", "${nothing_like_it}")],
            (0..<30).map { ("a\($0 == 0 ? "" : "\($0)")", String(repeating: "${a\($0 + 1)}", count: 16)) } + [("a30", "text")],
        ])
    func references(keys: [(String, String)]) throws {
        try read(document(keys)) { config in
            _ = #expect(throws: CoreError.self) { try config.value("a") }
        }
    }

    @Test(
        "What is no localconfig is refused, and no file of this machine is read into it",
        arguments: [
            "", "no XML", "<html></html>", "<localconfig><key name=\"a\"><value>",
            "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><localconfig><key name=\"a\"><value>&e;</value></key></localconfig>",
        ])
    func hostile(text: String) throws {
        let found = (try? read(text) { try $0.value("a") ?? "" }) ?? ""
        #expect(!found.contains("root"))
        if !text.contains("DOCTYPE") { #expect(throws: CoreError.self) { try read(text) { $0 } } }
    }

    @Test("A missing file is named")
    func missing() throws {
        let error = #expect(throws: CoreError.self) { try LocalConfig(home: "/nonexistent") }
        #expect(error?.description.contains("/nonexistent/conf/localconfig.xml") == true)
    }
}
