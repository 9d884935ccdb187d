import BackupCore
import Glibc
import SystemPackage

/// Where the files of a server's volumes are (formats/zimbra-items.md, section 4, "Path" and "External stores").
struct BlobPlaces: Sendable {
    private let volumes: [Int64: VolumeRow]
    private let home: FilePath
    /// One more level below each root, where the server is configured so.
    private let serverFolder: String?

    init(_ volumes: [VolumeRow], home: FilePath, serverFolder: String?) {
        self.volumes = Dictionary(volumes.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        self.home = home
        self.serverFolder = serverFolder
    }

    /// Every volume with its root, by id.
    var all: [(volume: VolumeRow, root: FilePath)] { volumes.values.sorted { $0.id < $1.id }.map { ($0, root(of: $0)) } }

    /// A volume's root.
    private func root(of volume: VolumeRow) -> FilePath {
        let root = home.pushing(FilePath(volume.path))
        return serverFolder.map { root.appending($0) } ?? root
    }

    /// The file of a content.
    ///
    /// - Throws: `CoreError` with `notReadableHere` where it lies in no folder of this machine, and with `configuration` where its
    ///   volume should be here and is not: then nothing can be said of what is on it.
    func place(of location: BlobLocation, locator: String) throws -> FilePath {
        let doing = "looking for the content of item \(location.itemID) of mailbox \(location.mailboxID)"
        guard let id = Int64(locator), locator.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw CoreError(
                .notReadableHere, doing: doing, subject: "locator \(locator.prefix(80))", reason: "it lies in an external store")
        }
        guard let volume = volumes[id] else {
            throw CoreError(.configuration, doing: doing, subject: "locator \(id)", reason: "the server has no such volume")
        }
        guard volume.storeType == 1 else {
            throw CoreError(.notReadableHere, doing: doing, subject: "volume \(volume.name)", reason: "it is an external store")
        }
        // Numbers of the path are as wide as the volume's row says; shifts beyond a number's width are none.
        let bits = [volume.mailboxBits, volume.mailboxGroupBits, volume.fileBits, volume.fileGroupBits]
        guard bits.allSatisfy({ (0..<63).contains($0) }) else {
            throw CoreError(.configuration, doing: doing, subject: "volume \(volume.name)", reason: "its row has bits that cannot be")
        }
        var layout = Volume(id: id, root: root(of: volume))
        (layout.fileBits, layout.fileGroupBits) = (volume.fileBits, volume.fileGroupBits)
        (layout.mailboxBits, layout.mailboxGroupBits) = (volume.mailboxBits, volume.mailboxGroupBits)
        return layout.path(mailbox: location.mailboxID, item: location.itemID, modContent: location.modContent)
    }

    /// The root of a content's volume, where it is not there or has nothing in it: a disk that is not mounted leaves an empty folder.
    func absentRoot(ofLocator locator: String) -> FilePath? {
        guard let id = Int64(locator), let volume = volumes[id] else { return nil }
        let root = root(of: volume)
        guard let folder = opendir(root.string) else { return root }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            // Not "." and "..".
            let first = withUnsafeBytes(of: &entry.pointee.d_name) { $0[0] }
            if first != UInt8(ascii: ".") { return nil }
        }
        return root
    }
}
