#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupCore
import BackupStore

/// `monitor`: follows an operation until it ends.
enum Monitor: Command {
    /// Microseconds between two looks.
    private static let interval: UInt32 = 500_000
    /// Where nobody watches a terminal, figures come so many looks apart.
    private static let looksALine = 20

    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        let id = try invocation.required("operation_uuid").lowercased()
        StopRequest.install()
        var display = MonitorDisplay(console, isJSON: invocation.options.json)
        var isKnown = false
        var looks = 0
        while !console.mustStop() {
            guard let service = try ServiceClient.state(configuration) else { throw NoService() }
            if let operation = object(id, in: service["operations"]) {
                isKnown = true
                display.show(operation, isDue: looks % looksALine == 0)
            } else if let ended = object(id, in: service["ended_operations"]) {
                let status = ended["status"]?.int.flatMap { Int32(exactly: $0) }.flatMap { CommandStatus(rawValue: $0) } ?? .failed
                display.end(ended, status)
                return status
            } else {
                // One that the service put off, or forgot, meanwhile.
                guard isKnown else { throw UnknownOperation(id: id) }
                return .interrupted
            }
            looks += 1
            usleep(interval)
        }
        return .interrupted
    }

    private static func object(_ id: String, in list: JSONValue?) -> JSONObject? {
        list?.array?.compactMap(\.object).first { $0["id"]?.string == id }
    }
}

/// Shows figures: in place on a terminal, as blocks now and then elsewhere, as objects for programs.
struct MonitorDisplay {
    private let console: Console
    private let isJSON: Bool
    private var shownLines = 0
    private var last: [String] = []

    init(_ console: Console, isJSON: Bool) { (self.console, self.isJSON) = (console, isJSON) }

    mutating func show(_ operation: JSONObject, isDue: Bool) {
        let name = "\(operation["operation"]?.string ?? "") \(operation["state"]?.string ?? "")"
        let progress = operation["progress"]?.object.flatMap { Progress($0) }
        let lines = [name] + (progress?.lines ?? [])
        guard lines != last else { return }
        if isJSON {
            console.write(.object(operation))
        } else if let columns = console.terminalColumns() {
            let text = lines.map { "\u{1B}[K" + String(ShownText.line($0).prefix(columns - 1)) + "\n" }.joined()
            console.rawErrors((shownLines > 0 ? "\u{1B}[\(shownLines)A" : "") + text)
            shownLines = lines.count
        } else {
            guard isDue || lines.first != last.first else { return }
            console.write(lines.map { ShownText.line($0) + "\n" }.joined())
        }
        last = lines
    }

    func end(_ operation: JSONObject, _ status: CommandStatus) {
        if isJSON { return console.write(.object(operation)) }
        let word =
            switch status {
            case .successful: "ended successfully"
            case .stopped: "was stopped"
            case .removed: "was removed from the queue"
            case .interrupted: "was interrupted by the end of the service; the next one goes on"
            default: "failed"
            }
        console.write("\(operation["operation"]?.string ?? "") \(word)\n")
    }
}

/// There is no service to ask.
struct NoService: Error, CustomStringConvertible {
    var description: String { "no service runs: start it with 'zxbackup serve', or as the unit zxbackup.service" }
}
