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

    /// The moment for a person.
    var words: String {
        switch self {
        case .second(let second): TimeText.local(second: second)
        default: description
        }
    }
}
