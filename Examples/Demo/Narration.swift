import BackupCore
import Foundation

/// A headline of the story.
func headline(_ text: String) { write("\n" + (isatty(1) == 1 ? "\u{1B}[1m\(text)\u{1B}[0m" : text)) }

/// One line of the story.
func say(_ text: String) { write("  \(text)") }

/// A time as the commands take it: `dd/MM/yyyy HH:mm:ss`.
func commandTime(_ second: Int64) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_GB")
    formatter.dateFormat = "dd/MM/yyyy HH:mm:ss"
    return formatter.string(from: Date(timeIntervalSince1970: TimeInterval(second)))
}

/// The wall clock, milliseconds.
func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

/// Sleeps until the wall clock has passed a whole second.
func waitUntilAfter(second: Int64) {
    while now() / 1000 <= second { usleep(20_000) }
}

/// All bytes of a reader.
func bytes(of read: ByteReader) throws -> [UInt8] {
    var result: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = try chunk.withUnsafeMutableBytes { try read($0) }
        guard count > 0 else { return result }
        result.append(contentsOf: chunk[..<count])
    }
}

/// Hands out bytes that are in memory.
func reader(of bytes: [UInt8]) -> ByteReader {
    var offset = 0
    return { buffer in
        let count = min(buffer.count, bytes.count - offset)
        buffer.copyBytes(from: bytes[offset..<offset + count])
        offset += count
        return count
    }
}

/// Writes a line at once: a story is read while it happens.
private func write(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
