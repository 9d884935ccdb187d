import BackupCore
import BackupStore

extension JSONValue {
    /// A state, or a part of one, without what opens an account, a folder or another server.
    var withoutSecrets: JSONValue {
        switch self {
        case .array(let elements): .array(elements.map(\.withoutSecrets))
        case .object(let object): .object(object.withoutSecrets)
        default: self
        }
    }
}

extension JSONObject {
    /// The same, member by member.
    var withoutSecrets: JSONObject {
        JSONObject(members.map { member in
            if SecretAttributes.contains(member.name) {
                return .init(name: member.name, value: .array([.string(SecretAttributes.placeholder)]))
            }
            switch (member.name, member.value) {
            case ("metadata", .string(let text)): return .init(name: member.name, value: .string(SecretMetadata.shown(text)))
            case ("doubts", .array(let doubts)):
                let shown = doubts.map { doubt in doubt.string.map { .string(SecretMetadata.shown(doubt: $0)) } ?? doubt }
                return .init(name: member.name, value: .array(shown))
            default: return .init(name: member.name, value: member.value.withoutSecrets)
            }
        })
    }
}
