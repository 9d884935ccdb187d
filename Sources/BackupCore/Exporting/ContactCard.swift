import BackupStore

/// A contact as a vCard 3.0 (RFC 2426), from the fields of its metadata (formats/zimbra-items.md, section 3.8).
///
/// A field without a property of its own is written as `X-ZIMBRA-<FIELD>`: nothing is lost.
struct ContactCard {
    /// What the contact is called.
    let name: String
    let text: String

    init(_ state: ItemState) {
        let metadata = state.metadata
        // Old rows keep the fields at the top.
        let fields = Fields(metadata.dictionary("fld") ?? metadata)
        name = Self.name(fields, state)
        var lines = ContentLines()
        lines.add("BEGIN", raw: "VCARD")
        lines.add("VERSION", raw: "3.0")
        lines.add("PRODID", raw: "-//zxbackup//EN")
        lines.add("FN", raw: ContentLines.escaped(name))
        lines.add("N", raw: ["lastName", "firstName", "middleName", "namePrefix", "nameSuffix"]
            .map { ContentLines.escaped(fields.take($0) ?? "") }.joined(separator: ";"))
        lines.add("UID", text: fields.take("vcardUID") ?? state.row.uuid ?? "\(state.row.id)")
        Self.addGroup(fields, &lines)
        for (field, property) in Self.simple {
            for value in fields.values(field) { lines.add(property, text: value) }
        }
        lines.add("ORG", parts: [fields.take("company"), fields.take("department")])
        for kind in ["home", "work", "other"] {
            let parts = ["Street", "City", "State", "PostalCode", "Country"].map { fields.take(kind + $0) }
            lines.add(kind == "other" ? "ADR" : "ADR;TYPE=\(kind)", parts: [nil, nil] + parts)
        }
        for (field, value) in fields.rest {
            let property = Self.numbered(field) ?? "X-ZIMBRA-" + Self.propertyName(field)
            lines.add(property, text: value)
        }
        lines.add("CATEGORIES", parts: state.row.tags.map { $0 }, separator: ",")
        lines.add("REV", raw: TimeText.iso(state.row.date &* 1000))
        lines.add("END", raw: "VCARD")
        text = lines.text
    }

    /// Fields that are properties, in the order they are written.
    private static let simple: [(String, String)] = [
        ("nickname", "NICKNAME"), ("email", "EMAIL;TYPE=internet,pref"), ("jobTitle", "TITLE"), ("birthday", "BDAY"), ("notes", "NOTE"),
        ("homePhone", "TEL;TYPE=home,voice"), ("homePhone2", "TEL;TYPE=home,voice"), ("mobilePhone", "TEL;TYPE=cell,voice"),
        ("workPhone", "TEL;TYPE=work,voice"), ("workPhone2", "TEL;TYPE=work,voice"), ("homeFax", "TEL;TYPE=home,fax"),
        ("workFax", "TEL;TYPE=work,fax"), ("otherFax", "TEL;TYPE=fax"), ("pager", "TEL;TYPE=pager"), ("carPhone", "TEL;TYPE=car,voice"),
        ("companyPhone", "TEL;TYPE=work"), ("otherPhone", "TEL;TYPE=voice"), ("homeURL", "URL;TYPE=home"), ("workURL", "URL;TYPE=work"),
        ("otherURL", "URL"), ("vcardURL", "SOURCE"),
    ]

    /// `email2`, `workEmail1`, `imAddress1` …: any number of them.
    private static func numbered(_ field: String) -> String? {
        for (prefix, property) in [("email", "EMAIL;TYPE=internet"), ("workEmail", "EMAIL;TYPE=internet,work"), ("homeEmail", "EMAIL;TYPE=internet,home"), ("imAddress", "IMPP")]
        where field.hasPrefix(prefix) && Int(field.dropFirst(prefix.count)) != nil { return property }
        return nil
    }

    private static func propertyName(_ field: String) -> String {
        let name = field.uppercased().utf8.map { (65...90).contains($0) || (48...57).contains($0) ? $0 : UInt8(ascii: "-") }
        return String(decoding: name.prefix(60), as: UTF8.self)
    }

    private static func name(_ fields: Fields, _ state: ItemState) -> String {
        if let full = fields.peek("fullName"), !full.isEmpty { return full }
        if let explicit = fields.peek("fileAs"), explicit.hasPrefix("8:"), explicit.utf8.count > 2 { return String(explicit.dropFirst(2)) }
        let parts = ["firstName", "middleName", "lastName"].compactMap(fields.peek).filter { !$0.isEmpty }
        if !parts.isEmpty { return parts.joined(separator: " ") }
        return ["nickname", "company", "email"].compactMap(fields.peek).first { !$0.isEmpty } ?? state.row.sender ?? "Contact \(state.row.id)"
    }

    /// Members of a group as Apple's programs, and others after them, read them in a vCard 3.0.
    private static func addGroup(_ fields: Fields, _ lines: inout ContentLines) {
        guard fields.peek("type") == "group" else { return }
        _ = fields.take("type")
        lines.add("X-ADDRESSBOOKSERVER-KIND", raw: "group")
        let members = fields.take("groupMember").flatMap { try? MetadataDictionary(parsing: $0) }  // Else it is taken for none.
        for case .dictionary(let member) in members?.list("m") ?? [] {
            guard let value = member.string("v") else { continue }
            switch member.string("t") {
            case "I": lines.add("X-ADDRESSBOOKSERVER-MEMBER", raw: "mailto:" + value)
            case "C": lines.add("X-ZIMBRA-GROUP-CONTACT", text: value)
            default: lines.add("X-ZIMBRA-GROUP-DIRECTORY", text: value)
            }
        }
        for address in fields.take("dlist").map({ $0.split(separator: ",") }) ?? [] {
            let trimmed = address.drop { $0 == " " }
            if !trimmed.isEmpty { lines.add("X-ADDRESSBOOKSERVER-MEMBER", raw: "mailto:" + trimmed) }
        }
    }

    /// The fields, taken one by one, so that what nobody knows is left at the end.
    private final class Fields {
        private var values: [(name: String, value: String)] = []

        init(_ map: MetadataDictionary) {
            for key in map.keys {
                switch map[key] {
                case .string(let text): values.append((key, text))
                case .integer(let number): values.append((key, String(number)))
                case .dictionary(let inner): values.append((key, inner.text(forColumn: false)))
                default: break
                }
            }
        }

        func peek(_ name: String) -> String? { values.first { $0.name == name }?.value }

        func take(_ name: String) -> String? {
            guard let place = values.firstIndex(where: { $0.name == name }) else { return nil }
            return values.remove(at: place).value
        }

        /// The values of a field that may have several: `{"ZMVAL":["a","b"]}`.
        func values(_ name: String) -> [String] { take(name).map(Self.several) ?? [] }

        var rest: [(String, String)] { values.flatMap { field in Self.several(field.value).map { (field.name, $0) } } }

        private static func several(_ value: String) -> [String] {
            guard value.hasPrefix("{\"ZMVAL\""), let list = (try? JSONValue(json: value))?.object?["ZMVAL"]?.array  // Else it is a text.
            else { return [value] }
            return list.compactMap(\.string)
        }
    }
}
