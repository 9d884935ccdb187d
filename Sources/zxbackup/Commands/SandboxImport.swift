import ArgumentParser
import SandboxServer
import SystemPackage

/// `zxbackup sandbox import`: a server out of a recorded one.
struct SandboxImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Creates a server that holds what a data set recorded of a real one.",
        discussion: """
            A data set is a folder with accounts.json, tables/ and blobs.tar.gz.

            Example: zxbackup sandbox import server small
            """)

    @OptionGroup var folder: SandboxFolder

    @Argument(help: "The data set's folder.")
    var dataset: String

    @Flag(help: "Take the mailboxes as they were made, instead of at the end.")
    var initial = false

    func run() throws {
        let importing = DatasetImport(FilePath(dataset), isInitial: initial)
        let (server, figures) = try importing.run(at: FilePath(folder.path), options: folder.options())
        try server.close()
        print("Imported \(figures.accounts) accounts, \(figures.rows) rows and \(figures.blobs) blobs into \(folder.path)")
    }
}
