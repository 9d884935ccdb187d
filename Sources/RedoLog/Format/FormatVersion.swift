/// The version of the format, of a file header or of one record (formats/zimbra-redolog.md, section 3.5).
///
/// A record's own version decides its layout, not the header's.
public struct FormatVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The major and minor number in one word; ordered as (major, minor).
    let packed: UInt32

    /// The version `major.minor`; negative numbers do not occur in valid files.
    @inline(__always)
    public init(_ major: Int16, _ minor: Int16) {
        packed = UInt32(UInt16(bitPattern: major)) << 16 | UInt32(UInt16(bitPattern: minor))
    }

    /// The number before the dot.
    public var major: Int16 { Int16(bitPattern: UInt16(packed >> 16)) }
    /// The number after the dot.
    public var minor: Int16 { Int16(bitPattern: UInt16(packed & 0xFFFF)) }

    /// What Zimbra 8.7 to 10.1 and every Carbonio write.
    public static let current = FormatVersion(1, 42)
    /// The highest version with a known layout, written by Zimbra X.
    public static let highest = FormatVersion(1, 43)

    /// Whether a record with this version can be decoded: no negative part, not above `highest`.
    var isKnown: Bool { packed <= FormatVersion.highest.packed && minor >= 0 }

    /// Whether the left one is older.
    @inline(__always)
    public static func < (left: FormatVersion, right: FormatVersion) -> Bool { left.packed < right.packed }

    /// `1.42`
    public var description: String { "\(major).\(minor)" }
}

// The versions in which a layout changed (appendix A).
extension FormatVersion {
    static let v1_00 = FormatVersion(1, 0)
    static let v1_01 = FormatVersion(1, 1)
    static let v1_02 = FormatVersion(1, 2)
    static let v1_04 = FormatVersion(1, 4)
    static let v1_05 = FormatVersion(1, 5)
    static let v1_08 = FormatVersion(1, 8)
    static let v1_09 = FormatVersion(1, 9)
    static let v1_10 = FormatVersion(1, 10)
    static let v1_11 = FormatVersion(1, 11)
    static let v1_14 = FormatVersion(1, 14)
    static let v1_15 = FormatVersion(1, 15)
    static let v1_16 = FormatVersion(1, 16)
    static let v1_17 = FormatVersion(1, 17)
    static let v1_19 = FormatVersion(1, 19)
    static let v1_20 = FormatVersion(1, 20)
    static let v1_21 = FormatVersion(1, 21)
    static let v1_22 = FormatVersion(1, 22)
    static let v1_23 = FormatVersion(1, 23)
    static let v1_24 = FormatVersion(1, 24)
    static let v1_25 = FormatVersion(1, 25)
    static let v1_26 = FormatVersion(1, 26)
    static let v1_27 = FormatVersion(1, 27)
    static let v1_28 = FormatVersion(1, 28)
    static let v1_29 = FormatVersion(1, 29)
    static let v1_30 = FormatVersion(1, 30)
    static let v1_31 = FormatVersion(1, 31)
    static let v1_32 = FormatVersion(1, 32)
    static let v1_33 = FormatVersion(1, 33)
    static let v1_36 = FormatVersion(1, 36)
    static let v1_37 = FormatVersion(1, 37)
    static let v1_38 = FormatVersion(1, 38)
    static let v1_39 = FormatVersion(1, 39)
    static let v1_40 = FormatVersion(1, 40)
    static let v1_41 = FormatVersion(1, 41)
    static let v1_42 = FormatVersion(1, 42)
    static let v1_43 = FormatVersion(1, 43)
}

/// Which product wrote a log, where it matters for codes with several layouts (section 6.3).
public enum Dialect: String, Sendable {
    /// Zimbra Collaboration up to 10.1.
    case zimbra
    /// Zextras Carbonio.
    case carbonio
    /// The discontinued cloud edition.
    case zimbraX = "zimbra-x"
}
