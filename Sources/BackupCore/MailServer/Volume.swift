import SystemPackage

/// One row of `volume`: the root of a tree of blob files and the bits of its paths (formats/zimbra-items.md, section 4).
package struct Volume: Sendable {
    package var id: Int64
    package var root: FilePath
    package var fileBits: Int64 = 12
    package var fileGroupBits: Int64 = 8
    package var mailboxBits: Int64 = 12
    package var mailboxGroupBits: Int64 = 8
    package var compresses = false
    /// Contents of so many bytes or fewer stay plain.
    package var compressionThreshold: Int64 = 4096

    /// The folder that holds all of a mailbox.
    package func folder(ofMailbox mailbox: Int64) -> FilePath {
        let mailboxGroup = (mailbox >> mailboxBits) & ((1 << mailboxGroupBits) - 1)
        return root.appending("\(mailboxGroup)").appending("\(mailbox)")
    }

    /// The folder that holds an item's blobs.
    package func folder(mailbox: Int64, item: Int64) -> FilePath {
        let fileGroup = (item >> fileBits) & ((1 << fileGroupBits) - 1)
        return folder(ofMailbox: mailbox).appending("msg").appending("\(fileGroup)")
    }

    /// The file of an item's content.
    package func path(mailbox: Int64, item: Int64, modContent: Int64) -> FilePath {
        folder(mailbox: mailbox, item: item).appending("\(item)-\(modContent).msg")
    }

    package init(id: Int64, root: FilePath) {
        self.id = id
        self.root = root
    }
}
