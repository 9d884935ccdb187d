import BackupStore
import RedoLog

/// Contacts (formats/zimbra-redolog.md, section 7.7).
extension MailboxChange {
    mutating func createContact(_ contact: CreateContact, content: AppliedContent?) throws {
        var row = ItemRow(id: Int64(contact.itemID), type: .contact)
        row.folderID = Int64(contact.folderID)
        row.imapID = row.id
        row.indexID = row.id
        row.date = seconds
        row.tags = (contact.tags ?? []).map(\.string)
        row.metadata = MetadataDictionary().text()
        var state = ItemState(row: row)
        fill(&state, contact.fields, content)
        put(touching: state, content: true)
    }

    /// Since 1.14 the record carries the complete new field set and attachments.
    mutating func modifyContact(_ contact: ModifyContact, content: AppliedContent?) throws {
        let isDelta = contact.legacyReplace == false
        let change = self
        try edit(Int64(contact.itemID), content: true) { state in
            var fields = contact.fields
            if isDelta, let old = state.metadata.dictionary("fld") {
                let named = Set(fields.compactMap { $0.key?.string })
                let kept = old.keys.filter { !named.contains($0) }
                fields += kept.map { ContactField(key: LogText($0), value: LogText(old.string($0) ?? "")) }
                fields.removeAll { $0.value?.isEmpty ?? true }
            }
            change.fill(&state, fields, content)
            state.row.date = change.seconds
            state.row.imapID = change.life.tracksImap ? 0 : state.row.id
        }
    }

    private func fill(_ state: inout ItemState, _ fields: [ContactField], _ content: AppliedContent?) {
        state.blob = content?.blob
        state.row.size = content?.size ?? 0
        state.row.blobDigest = content?.id.description
        if content == nil { state.row.flags.remove(.attached) } else { state.row.flags.insert(.attached) }
        state.updateMetadata { metadata in
            var map = MetadataDictionary()
            for field in fields { map[field.key?.string ?? ""] = .string(field.value?.string ?? "") }
            metadata["fld"] = .dictionary(map)
            if content == nil { metadata["att"] = nil }
        }
        if content != nil, !state.doubts.contains(where: { $0.hasPrefix("metadata:") }) {
            state.doubts.append("metadata: which attachment is which field is computed by the server")
        }
    }
}
