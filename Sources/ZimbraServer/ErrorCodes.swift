import BackupCore

/// Why a mail server's own data could not be read: passwords are in none of these errors' texts.
extension CoreError.Code {
    /// The server's configuration is missing, unreadable or says what cannot be.
    public static let configuration = Self("configuration")
    /// A statement failed, or the answer broke off.
    public static let databaseFailed = Self("databaseFailed")
    /// The directory does not answer, or refuses the user.
    public static let directoryUnreachable = Self("directoryUnreachable")
    /// A search failed, or its answer is not whole.
    public static let directoryFailed = Self("directoryFailed")
}
