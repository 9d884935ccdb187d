import BackupStore
import SystemPackage
import Testing

@testable import BackupCore

@Suite("How long the free space lasts")
struct SpaceHistoryTests {
    private static let hour: Int64 = 3_600_000
    private static let start: Int64 = 1_393_582_510_000

    private func space(_ bytes: Int64, _ inodes: Int64? = 1000) throws -> SpaceLeft {
        var space = try SpaceLeft(on: "/")
        (space.bytes, space.inodes) = (bytes, inodes)
        return space
    }

    /// Notes what is free at some hours, and returns the outlook at the last of them.
    private func outlook(
        _ notes: [(hour: Int64, bytes: Int64, inodes: Int64?)], reserve: Int64 = 0
    ) throws -> (space: SpaceHistory.Outlook, inodes: SpaceHistory.Outlook) {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let history = SpaceHistory(stateFolder: folder.path.appending("state"), of: "/backup")
        for note in notes { try history.note(space(note.bytes, note.inodes), at: Self.start + note.hour * Self.hour) }
        let last = try #require(notes.last)
        let other = SpaceHistory(stateFolder: folder.path.appending("state"), of: "/other")
        #expect(try other.outlook(space(1), at: Self.start + last.hour * Self.hour) == (.unknown, .unknown))
        return try history.outlook(
            space(last.bytes, last.inodes), reserve: reserve, at: Self.start + last.hour * Self.hour)
    }

    @Test("What has become less lasts as many days as it takes at that rate; a reserve is not used up")
    func days() throws {
        #expect(try outlook([(0, 1000, 500), (48, 800, 400)]) == (.days(8), .days(8)))
        #expect(try outlook([(0, 1000, 500), (48, 800, 400)], reserve: 300) == (.days(5), .days(8)))
        #expect(try outlook([(0, 1000, 500), (48, 800, 400)], reserve: 900) == (.days(0), .days(8)))
        #expect(try outlook([(0, 1000, 500), (48, 999, 500)]) == (.days(1998), .notShrinking))
    }

    @Test("Less than a day of it says nothing, nor does a file system without a limit of inodes")
    func unknown() throws {
        #expect(try outlook([(0, 1000, 500), (23, 10, 10)]) == (.unknown, .unknown))
        #expect(try outlook([(0, 1000, nil), (24, 500, nil)]) == (.days(1), .unknown))
        #expect(try outlook([(0, 1000, 500), (24, 1000, 600)]) == (.notShrinking, .notShrinking))
    }

    @Test("Only the last week counts, and nothing that a clock noted which was ahead")
    func week() throws {
        // A week ago there were 1000; what was free before that is forgotten.
        #expect(try outlook([(0, 9000, 1), (24, 1000, 500), (192, 500, 500)]) == (.days(7), .notShrinking))
        #expect(try outlook([(0, 1000, 500), (10_000, 5, 5), (1, 1000, 500), (48, 500, 500)]) == (.days(1), .notShrinking))
    }

    @Test("It is noted once an hour, whoever asks how often")
    func hourly() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let history = SpaceHistory(stateFolder: folder.path, of: "/backup")
        try history.note(space(1000), at: Self.start)
        try history.note(space(1), at: Self.start + Self.hour - 1)
        try history.note(space(900), at: Self.start + Self.hour)
        // A week later the first of them is forgotten, and the second was none.
        #expect(try history.outlook(space(500), at: Self.start + 169 * Self.hour - 1).space == .days(8))
    }
}
