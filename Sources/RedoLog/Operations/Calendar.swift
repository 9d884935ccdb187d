/// An invitation within `SetCalendarItem` (section 7.9).
public struct CalendarInvitation: CodedElement {
    /// Obsolete.
    public var legacyForce = true
    /// The local time zone (section 8.9).
    public var timezone: LogText?
    /// The invitation dictionary (section 8.9).
    public var invite: LogText?
    /// Milliseconds; nil without a message.
    public var receivedDate: Int64?
    /// The raw MIME message; nil without one.
    public var message: Body?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 9

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.bool("legacyForce", &legacyForce)
        try codec.text("timezone", &timezone)
        try codec.text("invite", &invite)
        var hasMessage = message != nil
        if codec.version >= .v1_24 {
            try codec.bool("hasMessage", &hasMessage)
        } else {
            hasMessage = true
            codec.described("hasMessage", true)
        }
        if hasMessage {
            try codec.int64("receivedDate", &receivedDate, since: .v1_00)
            try codec.body("message", &message, .plain)
        }
    }
}

/// Code 44: the complete state of an appointment or task.
public struct SetCalendarItem: CodedPayload {
    /// Its folder.
    public var folderID: Int32 = 10
    /// An obsolete volume number. Since 1.0.
    public var legacyVolume: Int16?
    /// The item, new or existing.
    public var calendarItemID: Int32 = 0
    /// Since 1.1.
    public var calendarPartStat: LogText? = "NE"
    /// Since 1.2.
    public var attachmentIndexing: Bool?
    /// Since 1.11.
    public var flags: Int32?
    /// Names; null = none given. Since 1.33.
    public var tags: [LogText]?
    /// Bit n = tag 64+n. From 1.11 to 1.32.
    public var tagBitmask: Int64?
    /// The series, or the only appointment.
    public var series: CalendarInvitation?
    /// Exceptions and cancellations.
    public var exceptions: [CalendarInvitation] = []
    /// Reply dictionaries (section 8.9); null: they stay; empty: cleared. Since 1.15.
    public var replies: [LogText]?
    /// Milliseconds; 0 stays, −1 dismissed, −2 compute. Since 1.21.
    public var nextAlarm: Int64?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("folderId", &folderID)
        try codec.int16("legacyVolume", &legacyVolume, since: .v1_00)
        try codec.int32("calendarItemId", &calendarItemID)
        if codec.version >= .v1_01 {
            try codec.text("calendarPartStat", &calendarPartStat)
        } else {
            calendarPartStat = nil
        }
        try codec.bool("attachmentIndexing", &attachmentIndexing, since: .v1_02)
        try codec.int32("flags", &flags, since: .v1_11)
        if codec.version >= .v1_11 { try codec.tagsOrBitmask(&tags, &tagBitmask) }
        var hasSeries = series != nil
        if codec.version >= .v1_17 {
            try codec.marker(&hasSeries)
        } else {
            hasSeries = true
        }
        if hasSeries {
            var invitation = series ?? CalendarInvitation()
            try codec.group("series", &invitation)
            series = invitation
        } else {
            series = nil
            codec.null("series")
        }
        try codec.list("exceptions", &exceptions)
        if codec.version >= .v1_15 { try codec.replies("replies", &replies) }
        try codec.int64("nextAlarm", &nextAlarm, since: .v1_21)
    }
}

/// Code 43: an invitation is added to a calendar item.
public struct CreateInvite: CodedPayload {
    /// The item, new or existing.
    public var calendarItemID: Int32 = 0
    /// Since 1.1.
    public var calendarPartStat: LogText? = "NE"
    /// Its folder.
    public var folderID: Int32 = 10
    /// An obsolete volume number. Since 1.0.
    public var legacyVolume: Int16?
    /// Obsolete.
    public var legacyForce = true
    /// The raw MIME message, if any.
    public var message: Body?
    /// The local time zone (section 8.9).
    public var timezone: LogText?
    /// The invitation dictionary (section 8.9).
    public var invite: LogText?
    /// Since 1.22.
    public var preserveAlarms: Bool?
    /// Since 1.22.
    public var discardInvites: Bool?
    /// Since 1.23.
    public var addRevision: Bool?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("calendarItemId", &calendarItemID)
        if codec.version >= .v1_01 {
            try codec.text("calendarPartStat", &calendarPartStat)
        } else {
            calendarPartStat = nil
        }
        try codec.int32("folderId", &folderID)
        try codec.int16("legacyVolume", &legacyVolume, since: .v1_00)
        try codec.bool("legacyForce", &legacyForce)
        try codec.body("message", &message, .optional)
        try codec.text("timezone", &timezone)
        try codec.text("invite", &invite)
        try codec.bool("preserveAlarms", &preserveAlarms, since: .v1_22)
        try codec.bool("discardInvites", &discardInvites, since: .v1_22)
        try codec.bool("addRevision", &addRevision, since: .v1_23)
    }
}

/// Code 57: an attendee's answer; the item is found by the UID in the dictionary.
public struct ICalReply: CodedPayload {
    /// The local time zone (section 8.9).
    public var timezone: LogText?
    /// The invitation dictionary (section 8.9).
    public var invite: LogText?
    /// May be null.
    public var sender: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("timezone", &timezone)
        try codec.text("invite", &invite)
        try codec.text("sender", &sender)
    }
}

/// Which instance of a series is meant.
public struct RecurrenceID: CodedElement {
    /// 1 this only, 2 this and future, 3 this and prior.
    public var range: Int32 = 1
    /// Section 8.9.
    public var dateTime: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 8

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("range", &range)
        try codec.text("dateTime", &dateTime)
    }
}

/// Code 37: the participation status of an attendee.
public struct ModifyInvitePartStat: CodedPayload {
    /// The item.
    public var calendarItemID: Int32 = 0
    /// The instance, if not the series.
    public var recurrenceID: RecurrenceID?
    /// The attendee's name.
    public var cn: LogText?
    /// The attendee's address.
    public var address: LogText?
    /// Kind of attendee.
    public var cuType: LogText?
    /// Role.
    public var role: LogText?
    /// Status.
    public var partStat: LogText?
    /// Whether an answer is wanted.
    public var rsvp = false
    /// SEQUENCE.
    public var sequence: Int32 = 0
    /// Milliseconds.
    public var dtStamp: Int64 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("calendarItemId", &calendarItemID)
        var isInstance = recurrenceID != nil
        try codec.marker(&isInstance)
        if isInstance {
            var instance = recurrenceID ?? RecurrenceID()
            try codec.group("recurrenceId", &instance)
            recurrenceID = instance
        } else {
            recurrenceID = nil
            codec.null("recurrenceId")
        }
        try codec.text("cn", &cn)
        try codec.text("address", &address)
        try codec.text("cuType", &cuType)
        try codec.text("role", &role)
        try codec.text("partStat", &partStat)
        try codec.bool("rsvp", &rsvp)
        try codec.int32("sequence", &sequence)
        try codec.int64("dtStamp", &dtStamp)
    }
}

/// Code 36, of old releases: no effect.
public struct ModifyInviteFlag: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// The component.
    public var component: Int32 = 0
    /// The flag.
    public var flag: Int32 = 0
    /// Put on, or taken off.
    public var add = false

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int32("component", &component)
        try codec.int32("flag", &flag)
        try codec.bool("add", &add)
    }
}

/// Code 66.
public struct DismissCalendarItemAlarm: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// Milliseconds.
    public var dismissedAt: Int64 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int64("dismissedAt", &dismissedAt)
    }
}

/// Code 83.
public struct SnoozeCalendarItemAlarm: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// Milliseconds.
    public var snoozeUntil: Int64 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int64("snoozeUntil", &snoozeUntil)
    }
}

/// Code 60, of old releases: no effect.
public struct FixCalendarItemTimeZone: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// Milliseconds.
    public var after: Int64 = 0
    /// Null = world.
    public var country: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int64("after", &after)
        try codec.text("country", &country)
    }
}

/// A time zone and what replaces it.
public struct TimeZoneReplacement: CodedElement {
    /// The zone.
    public var tzid: LogText?
    /// A zone dictionary, or null.
    public var timezone: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 8

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("tzid", &tzid)
        try codec.text("timezone", &timezone)
    }
}

/// Code 70.
public struct FixCalendarItemTZ: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// Zones and what replaces them.
    public var replacements: [TimeZoneReplacement] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.list("replacements", &replacements)
    }
}

/// Code 67: the fix is computed.
public struct FixCalendarItemEndTime: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
    }
}

/// Code 78: the fix is computed.
public struct FixCalendarItemPriority: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
    }
}
