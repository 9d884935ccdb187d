/// Which kind of directory entry a history belongs to; each has its folder in the backup path.
public enum DirectoryKind: String, Sendable, CaseIterable, Hashable {
    /// Mail domains.
    case domains
    /// Classes of service.
    case cos
    /// Distribution lists.
    case lists
    /// Dynamic groups.
    case groups
    /// Calendar resources.
    case resources
    /// Servers.
    case servers
    /// The global configuration.
    case config
    /// Zimlets.
    case zimlets
    /// What the backup notes of itself: its store days, legal holds and purges.
    case records
}

/// Names one history of the backup path.
public enum HistoryKey: Hashable, Sendable, CustomStringConvertible {
    /// An item of a mailbox; ids may be negative only where the server's are.
    case item(account: String, id: Int64)
    /// The account: attributes, aliases, preferences, signatures, identities, data sources.
    case accountInfo(String)
    /// The mailbox row and what belongs to it.
    case mailbox(String)
    /// An entry of the directory.
    case directory(DirectoryKind, String)

    /// The account the history belongs to, nil for directory entries.
    public var account: String? {
        switch self {
        case .item(let account, _), .accountInfo(let account), .mailbox(let account): account
        case .directory: nil
        }
    }

    /// For messages to people: "item 257 of account …".
    public var description: String {
        switch self {
        case .item(let account, let id): "item \(id) of account \(account)"
        case .accountInfo(let account): "account \(account)"
        case .mailbox(let account): "mailbox of account \(account)"
        case .directory(let kind, let id): "\(kind.rawValue) \(id)"
        }
    }

    /// Whether the names in it can be file names of the backup path.
    ///
    /// Account and entry ids are the server's UUIDs; nothing else is trusted to become a path.
    var isStorable: Bool {
        switch self {
        case .item(let account, _), .accountInfo(let account), .mailbox(let account): isFileName(account)
        case .directory(_, let id): isFileName(id)
        }
    }
}

/// Whether a text may be a file name here: not empty, at most 200 bytes, no slash, no NUL, no leading dot.
func isFileName(_ text: String) -> Bool {
    let utf8 = text.utf8
    guard let first = utf8.first, utf8.count <= 200, first != UInt8(ascii: ".") else { return false }
    return utf8.allSatisfy { $0 != UInt8(ascii: "/") && $0 >= 0x20 && $0 != 0x7F }
}
