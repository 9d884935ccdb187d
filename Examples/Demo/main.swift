// `make demo`: the main job, on a mail server at work, and on the log of a real one.

import Foundation

do {
    let folder = FileManager.default.temporaryDirectory.appending(path: "zxbackup-demo-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let first = try LiveStory(folder: folder).tell()
    let second = try RealLogStory(folder: folder).tell()
    exit(first && second ? 0 : 1)
} catch {
    FileHandle.standardError.write(Data("demo: \(error)\n".utf8))
    exit(1)
}
