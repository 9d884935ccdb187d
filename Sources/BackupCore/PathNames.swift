extension String {
    /// The names in a path of folders, empty ones left out.
    ///
    /// By bytes, as the server splits: a name may begin with a combining mark, and the slash before it is no slash to `Character`.
    package var pathNames: [String] { utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) } }
}
