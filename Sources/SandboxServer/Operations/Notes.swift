import BackupCore
import RedoLog

/// Notes on the desktop (formats/zimbra-redolog.md, section 7.8).
extension SandboxMailbox {
    /// Creates a note and returns its id; bounds are x, y, width and height.
    @discardableResult
    public func createNote(
        _ text: String, folder: Int64 = 1, color: Int64 = 0, bounds: (x: Int32, y: Int32, width: Int32, height: Int32) = (10, 20, 100, 80)
    ) throws -> Int64 {
        try server.change(mailboxID) { change in
            _ = try change.folder(folder)
            var row = change.touched(ItemRow(id: change.nextItemID(), type: .note), content: true)
            row.folderID = folder
            row.indexID = row.id
            row.date = change.seconds
            row.subject = ColumnText.cut(text, to: 1024)
            var logged = CreateNote()
            logged.itemID = Int32(row.id)
            logged.folderID = Int32(folder)
            logged.content = LogText(text)
            logged.color = color
            logged.bounds = NoteBounds(bounds)
            var metadata = MetadataDictionary()
            metadata["c"] = color == 0 ? nil : .integer(color)
            metadata["l"] = .string(logged.bounds.text)
            row.metadata = metadata.text()
            try change.insert(row)
            return (row.id, Logged(.createNote(logged)))
        }
    }

    /// Replaces a note's text: its date changes, the number of its content does not.
    public func editNote(_ id: Int64, _ text: String) throws {
        try server.change(mailboxID) { change in
            let old = try change.note(id)
            var row = change.touched(old)
            row.subject = ColumnText.cut(text, to: 1024)
            row.sender = ""
            row.date = change.seconds
            row.metadata = try Change.nextVersion(row.metadata, by: 1)
            try change.update(old, to: row)
            var logged = EditNote()
            logged.itemID = Int32(id)
            logged.content = LogText(text)
            return ((), Logged(.editNote(logged)))
        }
    }

    /// Moves a note on the desktop.
    public func repositionNote(_ id: Int64, _ bounds: (x: Int32, y: Int32, width: Int32, height: Int32)) throws {
        try server.change(mailboxID) { change in
            let old = try change.note(id)
            var logged = RepositionNote()
            logged.itemID = Int32(id)
            logged.bounds = NoteBounds(bounds)
            var metadata = try MetadataDictionary(parsing: old.metadata)
            if metadata.string("l") != logged.bounds.text {
                metadata["l"] = .string(logged.bounds.text)
                var row = change.touched(old)
                row.metadata = metadata.text()
                try change.update(old, to: row)
            }
            return ((), Logged(.repositionNote(logged)))
        }
    }
}

extension Change {
    fileprivate func note(_ id: Int64) throws -> ItemRow {
        let row = try item(id)
        guard row.type == .note else { throw failure(.refused, "item \(id) is no note") }
        return row
    }
}

extension NoteBounds {
    fileprivate init(_ bounds: (x: Int32, y: Int32, width: Int32, height: Int32)) {
        self.init()
        (x, y, width, height) = bounds
    }

    fileprivate var text: String { "\(x),\(y),\(width),\(height)" }
}
