import BackupCore
import GRDB
import SystemPackage
import Testing

@testable import SandboxServer

/// Checks that a mailbox's counters, links, tags and blobs agree with its items.
func checkConsistency(of mailbox: SandboxMailbox, _ context: String = "") throws {
    let server = mailbox.server
    let rows = try mailbox.items()
    let leaves = rows.filter { !$0.type.isContainer && $0.type != .conversation }
    let byID = Dictionary(uniqueKeysWithValues: rows.map { ($0.id, $0) })
    let row = try #require(try server.mailboxes().first { $0.id == mailbox.mailboxID })
    let revisions = try leaves.filter { $0.type == .document }.flatMap { try mailbox.revisions(of: $0.id) }
    #expect(row.sizeCheckpoint == leaves.reduce(0) { $0 + $1.size } + revisions.reduce(0) { $0 + $1.size }, "size \(context)")
    #expect(rows.allSatisfy { $0.modContent <= $0.modMetadata && $0.changeDate != nil })
    let names = rows.compactMap { row in row.name.map { "\(row.folderID ?? 0)/\($0.lowercased())" } }
    #expect(Set(names).count == names.count, "names \(context)")

    for folder in rows where folder.type == .folder {
        let contents = leaves.filter { $0.folderID == folder.id }
        let metadata = try MetadataDictionary(parsing: folder.metadata)
        #expect(folder.size == Int64(contents.count), "size of folder \(folder.id) \(context)")
        if (metadata.integer("a") ?? 0) & 2 != 0 { continue }  // Of such a folder only the number of items is kept.
        #expect(folder.unread == contents.reduce(0) { $0 + ($1.unread ?? 0) }, "unread of folder \(folder.id) \(context)")
        #expect((metadata.integer("sz") ?? 0) == contents.reduce(0) { $0 + $1.size }, "sz of folder \(folder.id) \(context)")
        #expect(byID[folder.folderID ?? 0]?.type == .folder && folder.parentID == folder.folderID, "parent of \(folder.id) \(context)")
        #expect(contents.allSatisfy { ($0.imapID ?? 0) < metadata.integer("unxt") ?? 0 || $0.prevFolders != nil }, "unxt of \(folder.id) \(context)")
    }
    for conversation in rows where conversation.type == .conversation {
        #expect(conversation.size == Int64(leaves.filter { $0.parentID == conversation.id }.count), "conversation \(conversation.id) \(context)")
        #expect(conversation.size > 0 && conversation.folderID == 9)
    }
    for leaf in leaves {
        #expect(byID[leaf.folderID ?? 0]?.type == .folder, "folder of \(leaf.id) \(context)")
        if let parent = leaf.parentID { #expect(byID[parent]?.type == (leaf.type == .comment ? .document : .conversation), "parent of \(leaf.id) \(context)") }
    }

    let tags = try server.database.read { try TagTable.tags(mailbox: mailbox.mailboxID, in: $0) }
    for tag in tags {
        let tagged = leaves.filter { $0.tags.contains(tag.row.name) }
        #expect(tag.itemCount == Int64(tagged.count), "count of tag \(tag.row.name) \(context)")
        #expect(tag.unread == tagged.reduce(0) { $0 + ($1.unread ?? 0) }, "unread of tag \(tag.row.name) \(context)")
    }
    let known = Set(tags.map(\.row.name))
    #expect(leaves.allSatisfy { known.isSuperset(of: $0.tags) }, "tags \(context)")
    var expected: Set<[Int64]> = []
    for leaf in leaves {
        for name in leaf.tags { expected.insert([leaf.id, tags.first { $0.row.name == name }?.row.id ?? 0]) }
        for flag in TagTable.flagIDs where leaf.flags.rawValue & (1 << (-flag - 1)) != 0 { expected.insert([leaf.id, flag]) }
        if leaf.unread == 1 { expected.insert([leaf.id, -10]) }
    }
    let stored = try server.database.read { database in
        Set(
            try Row.fetchAll(database, sql: "SELECT item_id, tag_id FROM tagged_item WHERE mailbox_id = ?", arguments: [mailbox.mailboxID])
                .map { [$0[0] as Int64, $0[1] as Int64] })
    }
    #expect(stored == expected, "tagged_item \(context)")
    let open = try server.database.read {
        try Int64.fetchSet($0, sql: "SELECT conv_id FROM open_conversation WHERE mailbox_id = ?", arguments: [mailbox.mailboxID])
    }
    #expect(open.isSubset(of: byID.keys), "open_conversation \(context)")

    // Every blob is there with its bytes, and no other file.
    var files: Set<String> = []
    for item in try leaves + mailbox.dumpster() where item.blobDigest != nil {
        let path = try server.database.read { try SandboxServer.readVolume(Int64(item.locator ?? "") ?? 0, home: server.path, in: $0) }
            .path(mailbox: mailbox.mailboxID, item: item.id, modContent: item.modContent)
        files.insert(path.string)
        let bytes = try Files.read(path)
        #expect(Int64(bytes.count) == item.size && ServerDigest.sha256(bytes) == item.blobDigest, "blob of \(item.id) \(context)")
    }
    let dumpsterRows = try mailbox.dumpster()
    let kept = try server.database.read { database in
        try dumpsterRows.flatMap { try RevisionTable.dumpster.revisions(of: $0.id, mailbox: mailbox.mailboxID, in: database) }
    }
    for revision in revisions + kept {
        let path = try server.database.read { try server.path(of: revision, mailbox: mailbox.mailboxID, in: $0) }
        files.insert(path.string)
        #expect(ServerDigest.sha256(try Files.read(path)) == revision.blobDigest, "version \(revision.version) of \(revision.itemID) \(context)")
    }
    let root = server.path.pushing(FilePath("store/0/\(mailbox.mailboxID)/msg"))
    let found = Set(Files.names(in: root).flatMap { group in Files.names(in: root.appending(group)).map { root.appending(group).appending($0).string } })
    #expect(found.symmetricDifference(files) == [], "blob files \(context)")
    #expect(Files.names(in: server.path.pushing("store/incoming")) == [])
}
