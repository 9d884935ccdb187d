import ServerTestbed
import SystemPackage
import Testing

@Suite("A live server's own data, on a testbed", .enabled(if: Testbed.isAvailable, "MariaDB and OpenLDAP are not installed"))
struct TestbedTests {
    private static let fixtures = FilePath(#filePath).removingLastComponent().removingLastComponent().appending("BackupCoreTests/Fixtures")

    @Test("What a server has is in the backup after a scan, column by column, and in what is restored", arguments: ["small", "crash"])
    func scanned(dataset: String) throws {
        let outcome = try TestbedCheck(Self.fixtures.appending(dataset)).run()
        #expect(outcome.differences == [])
        #expect(outcome.mailboxes > 1 && outcome.items > 100)
    }
}
