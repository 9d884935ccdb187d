/// How long an account's mail is kept by itself: what the server's nightly purge goes by (formats/zimbra-ldap.md, section 5).
public struct Retention: Hashable, Sendable {
    /// Seconds that messages are kept wherever they are; nil = for ever.
    public var messages: Int64?
    /// Seconds that items are kept in Trash; nil = for ever.
    public var trash: Int64?
    /// Seconds that items are kept in Junk; nil = for ever.
    public var junk: Int64?
    /// Whether items in Trash age from their last change on, not from their date.
    public var countsTrashFromChange = true

    /// The account's settings; nil where the entry does not say.
    public init?(of account: AccountEntry) {
        guard let messages = account["zimbraMailMessageLifetime"], let trash = account["zimbraMailTrashLifetime"],
            let junk = account["zimbraMailSpamLifetime"]
        else { return nil }
        self.messages = Self.seconds(messages)
        self.trash = Self.seconds(trash)
        self.junk = Self.seconds(junk)
        countsTrashFromChange = account["zimbraMailPurgeUseChangeDateForTrash"] != "FALSE"
    }

    /// A duration of the directory (`30d`) in seconds; nil for 0, which means for ever, and for what is no duration.
    static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["d": 86400, "h": 3600, "m": 60, "s": 1]
        guard let last = text.last else { return nil }
        let unit = units[last]
        guard let number = Int64(unit == nil ? text[...] : text.dropLast()), number > 0 else { return nil }
        let (seconds, isTooLong) = number.multipliedReportingOverflow(by: unit ?? 1)
        return isTooLong ? nil : seconds
    }
}
