import BackupStore

extension CoreError.Code {
    /// A time that has not come yet.
    public static let inTheFuture = CoreError.Code("inTheFuture")
}

/// Which moment of a mailbox a restore brings back (R14).
public enum RestoreMoment: Hashable, Sendable, CustomStringConvertible {
    /// The latest state; of a deleted mailbox the one just before its deletion.
    case last
    /// After the last change of this second or an earlier one, seconds since 1970.
    case second(Int64)
    /// After the change with this number.
    case change(Int64)

    /// A text that names the moment, stable between versions: an interrupted restore is recognised by it.
    public var description: String {
        switch self {
        case .last: "last"
        case .second(let second): "second:\(second)"
        case .change(let change): "change:\(change)"
        }
    }

    /// Refuses a second that has not come yet, by this machine's clock and by the last change that is known.
    ///
    /// - Parameters:
    ///   - lastChange: milliseconds since 1970; nil where that says nothing.
    ///   - remedy: what to do instead.
    public static func refuseFuture(
        _ second: Int64, lastChange: Int64? = nil, remedy: String = "The date 'last' means the latest state"
    ) throws {
        let now = max(WallClock.milliseconds, lastChange ?? 0)
        guard second * 1000 > now else { return }
        throw CoreError(
            .inTheFuture, doing: "choosing a moment", subject: TimeText.local(second: second),
            reason: "it lies in the future: nobody knows yet what happens until then",
            remedy: remedy)
    }

    /// The moment for a person.
    var words: String {
        switch self {
        case .second(let second): TimeText.local(second: second)
        default: description
        }
    }
}
