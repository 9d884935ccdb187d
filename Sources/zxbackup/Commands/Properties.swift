import BackupCore
import BackupStore

/// `getProperty`: the properties and their values.
enum GetProperty: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let file = PropertyFile(stateFolder: try invocation.configuration().stateFolder)
        let properties = try invocation["name"].map { [try property($0)] } ?? BackupProperty.all
        let values = try properties.map { ($0, try file.value(of: $0)) }
        if invocation.options.json {
            console.write(
                JSONValue.object([
                    "properties": .array(
                        values.map { property, value in
                            .object([
                                "name": .string(property.name), "value": property.json(value),
                                "default": property.json(property.defaultValue)
                            ])
                        })
                ]))
        } else {
            console.write(
                KeyValueBlock(
                    "properties",
                    values.map { property, value in
                        .pair(
                            property.name, value + (value == property.defaultValue ? "" : " (default \(property.defaultValue))"))
                    }))
        }
        return .successful
    }

    /// The property of that name.
    ///
    /// - Throws: ``NotAvailable`` for one that has no effect yet, ``UnknownProperty`` for any other name.
    static func property(_ name: String) throws -> BackupProperty {
        if let property = BackupProperty.named(name) { return property }
        if let known = BackupProperty.withoutEffect.first(where: { $0.lowercased() == name.lowercased() }) {
            throw NotAvailable(what: "property \(known)")
        }
        throw UnknownProperty(name: name)
    }
}

/// `setProperty`: another value for a property.
enum SetProperty: SettingsCommand {
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        let property = try GetProperty.property(try invocation.required("name"))
        let file = PropertyFile(stateFolder: configuration.stateFolder)
        let before = try file.value(of: property)
        let value = try file.set(property, to: try invocation.required("value"))
        if invocation.options.json {
            console.write(
                JSONValue.object(["name": .string(property.name), "value": property.json(value), "before": property.json(before)])
            )
        } else {
            console.write(KeyValueBlock("property set", [.pair(property.name, value), .pair("before", before)]))
        }
        return .successful
    }
}

/// No property is called that.
struct UnknownProperty: Error, CustomStringConvertible {
    var name: String

    var description: String {
        let near = nearest(to: name, in: BackupProperty.all.map(\.name) + BackupProperty.withoutEffect)
        return "unknown property '\(name)'" + (near.map { "; did you mean \($0)?" } ?? ". getProperty lists them")
    }
}

extension BackupProperty {
    /// A value for programs.
    fileprivate func json(_ text: String) -> JSONValue {
        switch values {
        case .boolean: .bool(text == "true")
        case .number: Int64(text).map { .int($0) } ?? .string(text)
        case .cron: .string(text)
        }
    }
}
