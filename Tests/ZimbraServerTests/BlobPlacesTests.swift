import BackupCore
import Testing

@testable import ZimbraServer

@Suite("Where a content lies")
struct BlobPlacesTests {
    private func volume(_ id: Int64, path: String, storeType: Int64 = 1, fileBits: Int64 = 12) -> VolumeRow {
        VolumeRow(
            id: id, type: 1, name: "v\(id)", path: path, fileBits: fileBits, fileGroupBits: 8, mailboxBits: 12, mailboxGroupBits: 8,
            compressesBlobs: false, compressionThreshold: 4096, storeType: storeType, storeManagerClass: nil)
    }

    private func location(_ item: Int64 = 300) -> BlobLocation {
        BlobLocation(mailboxID: 5000, itemID: item, modContent: 17, locator: nil, size: 1, digest: "d")
    }

    private var places: BlobPlaces {
        BlobPlaces(
            [volume(1, path: "store"), volume(2, path: "/mnt/second"), volume(3, path: "s3", storeType: 2), volume(4, path: "x", fileBits: 70)],
            home: "/opt/zimbra", serverFolder: nil)
    }

    @Test("By the bits of the volume's row, below its root, relative or absolute")
    func paths() throws {
        #expect(try places.place(of: location(), locator: "1") == "/opt/zimbra/store/1/5000/msg/0/300-17.msg")
        #expect(try places.place(of: location(5000), locator: "2") == "/mnt/second/1/5000/msg/1/5000-17.msg")
        let shared = BlobPlaces([volume(1, path: "store")], home: "/opt/zimbra", serverFolder: "an-id")
        #expect(try shared.place(of: location(), locator: "1") == "/opt/zimbra/store/an-id/1/5000/msg/0/300-17.msg")
        #expect(places.all.map(\.volume.id) == [1, 2, 3, 4])
    }

    @Test(
        "In an external store it is not readable here; on a volume that the server does not have, or with an impossible row, nothing can be said",
        arguments: [
            ("s3@@bucket/key", "notReadableHere"), ("../../etc/passwd", "notReadableHere"), ("", "notReadableHere"), ("-1", "notReadableHere"),
            ("1 ", "notReadableHere"), ("99999999999999999999", "notReadableHere"), ("3", "notReadableHere"), ("7", "configuration"),
            ("4", "configuration"),
        ])
    func elsewhere(locator: String, code: String) {
        let error = #expect(throws: CoreError.self) { try places.place(of: location(), locator: locator) }
        #expect(error?.code.name == code && error?.description.isEmpty == false)
    }
}
