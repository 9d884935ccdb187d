import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("The simulated disk")
struct SimulatedFileSystemTests {
    private let disk = SimulatedFileSystem(base: "/simulated")

    private func write(_ bytes: [UInt8], to name: String) throws -> SimulatedFile {
        let file = try disk.open(disk.base.appending(name), .createOrUpdate)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        return file
    }

    @Test("A write that there is no room for writes what fits; a file that there is no inode for is not made", arguments: [
        Errno.noSpace, .diskQuotaExceeded,
    ])
    func limits(error: Errno) throws {
        disk.limits.error = error
        disk.limits.bytes = 100
        #expect(throws: error) { try write([UInt8](repeating: 7, count: 150), to: "a") }
        #expect(disk.contents()["a"] == [UInt8](repeating: 7, count: 100))
        disk.limits.inodes = 2  // The root and one file.
        #expect(throws: error) { try disk.open(disk.base.appending("b"), .createNew) }
        disk.limits = SimulatedLimits()
        _ = try write([1], to: "b")
        #expect(disk.contents()["b"] == [1])
    }

    @Test("What survives a crash is what was synced, all of it, or some whole sectors", arguments: 0..<20 as Range<UInt64>)
    func crash(seed: UInt64) throws {
        let old = [UInt8](repeating: 1, count: 2048)
        let new = [UInt8](repeating: 2, count: 2048)
        try write(old, to: "a").sync()
        try disk.openFolder(disk.base).sync()
        _ = try write(new, to: "a")
        _ = try write(new, to: "b")
        #expect(disk.afterCrash(.synced).contents() == ["a": old])
        #expect(disk.afterCrash(.everything).contents() == ["a": new, "b": new])
        let found = disk.afterCrash(.random(seed: seed)).contents()
        #expect(found == disk.afterCrash(.random(seed: seed)).contents(), "it follows from the seed")
        let a = try #require(found["a"])
        for start in stride(from: 0, to: a.count, by: 512) { #expect(Set(a[start..<start + 512]).count == 1, "sectors are whole") }
    }

    @Test("Rot flips one bit of one file, and reads may be short")
    func rot() throws {
        _ = try write([UInt8](repeating: 0, count: 4000), to: "a")
        #expect(disk.rot(seed: 3) == "a")
        #expect(disk.contents()["a"]?.map(\.nonzeroBitCount).reduce(0, +) == 1)
        disk.shortReads = SeededGenerator(seed: 1)
        let file = try disk.open(disk.base.appending("a"), .read)
        #expect(try file.readBytes(at: 0, count: 4000) == disk.contents()["a"])
        #expect(disk.trace.count { $0 == "read a" } > 1)
    }

    @Test("A copy takes what is there when each name's turn comes, spares what has the same size and second, and removes the rest")
    func copy() throws {
        let target = SimulatedFileSystem(base: "/copy", device: 2)
        _ = try write([1, 2, 3], to: "a")
        _ = try write([4], to: "b")
        SimulatedCopy(of: disk, to: target).finish()
        #expect(target.contents() == ["a": [1, 2, 3], "b": [4]])
        _ = try write([9, 9, 9], to: "a")  // Same size, same second.
        try disk.remove(disk.base.appending("b"))
        SimulatedCopy(of: disk, to: target).finish()
        #expect(target.contents() == ["a": [1, 2, 3]])
        disk.clock.now += 1000
        _ = try write([9, 9, 9], to: "a")
        SimulatedCopy(of: disk, to: target).finish()
        #expect(target.contents() == ["a": [9, 9, 9]])
    }
}
