import BackupCore

/// A folder to be created.
public struct NewFolder: Hashable, Sendable {
    /// What users see.
    public var name: String
    /// The folder it goes into.
    public var parentID: Int64
    /// Type code of its contents; nil = any.
    public var view: ItemType?
    /// Palette index or 0x01RRGGBB; 0 = none.
    public var color: Int64
    /// Those that users may set.
    public var flags: Flags
    /// External feed; empty = none.
    public var url: String
    /// Milliseconds since the epoch; nil = now.
    public var date: Int64?

    /// A folder made of its parts.
    public init(
        name: String, parentID: Int64, view: ItemType? = nil, color: Int64 = 0, flags: Flags = [], url: String = "",
        date: Int64? = nil
    ) {
        self.name = name
        self.parentID = parentID
        self.view = view
        self.color = color
        self.flags = flags
        self.url = url
        self.date = date
    }
}
