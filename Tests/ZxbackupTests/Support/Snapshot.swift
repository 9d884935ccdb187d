import Foundation
import Testing

/// Compares a text with the file of that name in `Snapshots/`.
///
/// With `ZXBACKUP_RECORD_SNAPSHOTS=1` the file is written instead: look at the difference before committing it.
func expectSnapshot(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Snapshots")
    let file = folder.appendingPathComponent(name)
    if ProcessInfo.processInfo.environment["ZXBACKUP_RECORD_SNAPSHOTS"] == "1" {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        return
    }
    let expected = String(decoding: try Data(contentsOf: file), as: UTF8.self)
    #expect(text == expected, "Snapshots/\(name)", sourceLocation: sourceLocation)
}

/// Replaces what differs from run to run: the texts given, dates, ids and digests.
func stable(_ text: String, _ names: [String: String] = [:]) -> String {
    var text = text
    for (found, name) in names.sorted(by: { $0.key.count > $1.key.count }) { text = text.replacingOccurrences(of: found, with: name) }
    let patterns = [
        (#"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"#, "<TIME>"), (#"\d{2}/\d{2}/\d{4} \d{2}:\d{2}:\d{2}"#, "<TIME>"),
        (#"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"#, "<ID>"),
        // How many transactions a scan takes is not what these pages promise.
        (#"(seq|last_sequence|transactions|skipped)("?[:=])\d+"#, "$1$2<N>"), (#"last sequence +\d+"#, "last sequence <N>"),
    ]
    for (pattern, name) in patterns {
        text = text.replacingOccurrences(of: pattern, with: name, options: .regularExpression)
    }
    return text
}
