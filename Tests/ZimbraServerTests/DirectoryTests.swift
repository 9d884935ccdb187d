import BackupCore
import Foundation
import Glibc
import ServerTestbed
import Testing

@testable import ZimbraServer

@Suite("A mail server's directory, in OpenLDAP", .enabled(if: Testbed.isAvailable, "MariaDB and OpenLDAP are not installed"))
struct DirectoryTests {
    private func settings(_ testbed: Testbed) -> DirectorySettings {
        DirectorySettings(urls: [testbed.directoryURL], bindDN: "uid=zimbra,cn=admins,cn=zimbra", password: "zimbra")
    }

    /// One testbed for all that only reads.
    @Test("The accounts of the sample directory, with what hangs below them")
    func sample() throws {
        let testbed = try Testbed()
        defer { testbed.remove() }
        try testbed.loadSampleDirectory()
        var settings = settings(testbed)
        let accounts = try ZimbraDirectory(settings).accounts(of: "mail.example.com")
        let names = Set(accounts.map { String($0.name.prefix { $0 != "@" }) })
        #expect(names.isSuperset(of: ["anna", "admin", "bob", "carla", "dora", "room1"]), "\(names.sorted())")
        #expect(names.isDisjoint(with: ["elsewhere", "zimbra", "zmpostfix"]), "\(names.sorted())")
        let anna = try #require(accounts.first { $0.name == "anna@example.com" })
        #expect(Dictionary(grouping: anna.children, by: \.kind).mapValues(\.count) == [.identity: 1, .signature: 2, .dataSource: 2])
        #expect(anna.children.allSatisfy { !$0.id.isEmpty && !$0.name.isEmpty })
        #expect(anna.attributes["userPassword"]?.first?.hasPrefix("{SSHA512}") == true)
        #expect(try #require(accounts.first { $0.name.hasPrefix("carla") })["displayName"]?.contains("😀") == true)
        #expect(accounts.filter { $0.name != anna.name }.allSatisfy { $0.children.count < anna.children.count })

        // The same in pages of three entries, and one by one.
        settings.pageSize = 3
        #expect(try ZimbraDirectory(settings).accounts(of: "mail.example.com") == accounts)
        for account in accounts where !account.name.isEmpty {
            #expect(try ZimbraDirectory(settings).account(account.id) == account)
            #expect(try ZimbraDirectory(settings).account(account.name.uppercased()) == account)
        }
        // A name is text, not a filter.
        for name in ["*", "anna*", "x)(objectClass=*", "\\", "nobody@example.com"] {
            #expect(try ZimbraDirectory(settings).account(name) == nil)
        }
        #expect(try ZimbraDirectory(settings).accounts(of: "*") == [])

        let server = try ZimbraDirectory(settings).server(named: "mail.example.com")
        #expect(server.id == "50000000-0000-4000-8000-000000000001" && server["zimbraRedoLogLogPath"] == "redolog/redo.log")
        #expect(throws: CoreError.self) { try ZimbraDirectory(settings).server(named: "another.example.com") }

        // Whoever is refused, or finds no one, learns why.
        settings.password = "wrong-Secret"
        let refused = #expect(throws: CoreError.self) { try ZimbraDirectory(settings).accounts(of: "mail.example.com") }
        #expect(refused?.code == .directoryUnreachable && refused?.description.contains("Secret") == false, "\(String(describing: refused))")
        testbed.stopDirectory()
        settings.password = "zimbra"
        #expect(throws: CoreError.self) { try ZimbraDirectory(settings).accounts(of: "mail.example.com") }
        try testbed.startDirectory()
        #expect(try ZimbraDirectory(settings).accounts(of: "mail.example.com").count == accounts.count)
        // The first URL that answers is taken.
        settings.urls = ["ldap://127.0.0.1:1", testbed.directoryURL]
        #expect(try ZimbraDirectory(settings).accounts(of: "mail.example.com").count == accounts.count)
    }

    @Test("A directory that accepts and never answers is given up in time")
    func silent() throws {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        try withUnsafeMutablePointer(to: &address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                try #require(bind(listener, address, length) == 0 && listen(listener, 4) == 0)
                try #require(getsockname(listener, address, &length) == 0)
            }
        }
        var settings = DirectorySettings(
            urls: ["ldap://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"], bindDN: "cn=config", password: "x")
        settings.timeout = 1
        let error = #expect(throws: CoreError.self) { try ZimbraDirectory(settings).accounts(of: "mail.example.com") }
        #expect(error?.code == .directoryUnreachable)
    }

    @Test("The entry above is what comes behind the first comma that belongs to no value")
    func parents() {
        var entry = DirectoryEntry(dn: "", attributes: [:])
        for (dn, parent) in [
            ("uid=a,ou=people,dc=x", "ou=people,dc=x"), ("zimbraSignatureName=a\\, b,uid=c", "uid=c"), ("cn=a\\\\,uid=c", "uid=c"), ("cn=a", ""),
            ("", ""),
        ] {
            entry.dn = dn
            #expect(entry.parentDN == parent)
        }
    }
}
