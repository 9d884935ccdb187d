import BackupStore

/// What of the server's configuration is asked for: `section/attribute/entry`, each part of which may be left out.
///
/// The two last parts may stand in either order. Nothing of it tells upper from lower case.
public struct ConfigurationQuery: Hashable, Sendable {
    /// A part of the configuration, in the words of the manual.
    public enum Section: String, Sendable, CaseIterable {
        case serverConfig, globalConfig, cosConfig, domainConfig, listConfig, groupConfig, zimletConfig, otherConfig

        /// Where the histories of its entries lie.
        var kind: DirectoryKind {
            switch self {
            case .serverConfig: .servers
            case .globalConfig, .otherConfig: .config
            case .cosConfig: .cos
            case .domainConfig: .domains
            case .listConfig: .lists
            case .groupConfig: .groups
            case .zimletConfig: .zimlets
            }
        }

        /// The section of an entry.
        public init(_ entry: ConfigurationEntry) {
            let isGlobal = entry.dn.lowercased() == "cn=config,cn=zimbra"
            self = Self.allCases.first { $0.kind == entry.kind && (entry.kind != .config || ($0 == .globalConfig) == isGlobal) }!
        }
    }

    /// A state of an entry, with those of its attributes that are asked for.
    public struct Answer: Hashable, Sendable {
        /// The section it is of.
        public var section: Section
        /// The entry as it was.
        public var entry: ConfigurationEntry
        /// Since when it was so, milliseconds since 1970.
        public var time: Int64
        /// Whether it was deleted then.
        public var isDeleted: Bool
        /// What is asked for of it, sorted by name.
        public var attributes: [(name: String, values: [String])] {
            entry.attributes.filter { names.isEmpty || names.contains($0.key.lowercased()) }.sorted { $0.key < $1.key }
                .map { (name: $0.key, values: $0.value) }
        }

        fileprivate var names: Set<String>
    }

    /// Which states are meant.
    public enum Moment: Hashable, Sendable {
        /// Those of now.
        case last
        /// Those of the end of a second, seconds since 1970.
        case second(Int64)
        /// Every one that what is asked for ever had.
        case all
    }

    private let section: Section?
    private let words: [String]

    /// Reads a query.
    ///
    /// - Throws: `CoreError` with `configurationQuery` for a section that there is none of, or too many parts.
    public init(_ text: String) throws {
        let parts = text.split(separator: "/").map(String.init)
        section = try parts.first.map { first in
            guard let section = Section.allCases.first(where: { $0.rawValue.lowercased() == first.lowercased() }) else {
                throw CoreError(
                    .configurationQuery, doing: "reading a query", subject: text, reason: "there is no section \(first)",
                    remedy: "The sections are \(Section.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return section
        }
        words = parts.dropFirst().map { $0.lowercased() }
        guard words.count <= 2 else {
            throw CoreError(
                .configurationQuery, doing: "reading a query", subject: text, reason: "it has more than three parts",
                remedy: "section/attribute/entry, as serverConfig/zimbraMailMode/mail.example.com")
        }
    }

    /// What an entry in one of its states says to the query; nil where it is not meant.
    public func answer(_ entry: ConfigurationEntry, time: Int64, isDeleted: Bool = false) -> Answer? {
        let section = Section(entry)
        guard self.section == nil || self.section == section else { return nil }
        var answer = Answer(section: section, entry: entry, time: time, isDeleted: isDeleted, names: [])
        guard !words.isEmpty else { return answer }
        let own: Set = [entry.name.lowercased(), entry.id]
        switch (words.firstIndex(where: own.contains), words.count) {
        case (0?, 1): return answer
        case (let place?, _): answer.names = [words[1 - place]]
        case (nil, 1): answer.names = [words[0]]
        case (nil, _): return nil
        }
        return answer.attributes.isEmpty ? nil : answer
    }

    /// What the histories say to the query: by section and entry, and in the order of time.
    public func answers(at moment: Moment, in store: any StoreReading) throws -> [Answer] {
        var answers: [Answer] = []
        for kind in DirectoryKind.configuration where section == nil || section?.kind == kind {
            for id in try store.entries(of: kind) {
                let history = try store.history(of: .directory(kind, id))
                let lines: [HistoryLine] = switch moment {
                case .last: history.lines.suffix(1)
                case .second(let second): Array(history.lines.filter { $0.time <= second * 1000 + 999 }.suffix(1))
                case .all: history.lines
                }
                var before: Answer?
                for line in lines {
                    let isDeleted = line.fields["deleted"]?.bool ?? false
                    guard let entry = ConfigurationEntry(kind: kind, id: id, fields: line.fields),
                        let answer = answer(entry, time: line.time, isDeleted: isDeleted), moment == .all || !isDeleted
                    else { continue }
                    defer { before = answer }
                    if let before, before.isDeleted == isDeleted,
                        before.attributes.elementsEqual(answer.attributes, by: { $0 == $1 })
                    { continue }
                    answers.append(answer)
                }
            }
        }
        let order = Section.allCases
        return answers.sorted {
            (order.firstIndex(of: $0.section)!, $0.entry.name, $0.time) < (order.firstIndex(of: $1.section)!, $1.entry.name, $1.time)
        }
    }
}
