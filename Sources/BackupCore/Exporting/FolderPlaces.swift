/// The folders of a mailbox as folders of the destination, each made when it is first needed.
struct FolderPlaces {
    private let destination: ExportFolder
    private let folders: ExportFolders
    private var places: [Int64: String] = [WellKnownFolder.userRoot: "", WellKnownFolder.root: ""]
    private(set) var warnings: [String] = []

    init(_ destination: ExportFolder, _ folders: ExportFolders) {
        self.destination = destination
        self.folders = folders
    }

    /// The folder's place; empty for the root.
    mutating func place(of id: Int64) throws -> String {
        if let known = places[id] { return known }
        let name = SafeName(folders.name(id), fallback: "Folder \(id)")
        let place = try destination.makeFolder(name, in: try parentPlace(of: id, for: name), id: id)
        places[id] = place
        return place
    }

    /// Where a folder, or the one file that stands for it, is to lie.
    mutating func parentPlace(of id: Int64, for name: SafeName) throws -> String {
        let parent = try place(of: folders.parent(id))
        if destination.hasRoom(for: name, in: parent) { return parent }
        if warnings.count < 1000 {
            warnings.append("Folder \(id) is placed at the top: its path is longer than a file system allows.")
        }
        return ""
    }
}
