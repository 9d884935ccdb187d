/// Attributes whose values are never shown, as the server itself shows "VALUE-BLOCKED" in their place.
public enum SecretAttributes {
    /// What is shown instead of a value.
    public static let placeholder = "VALUE-BLOCKED"

    /// Whether an attribute holds a password, a hash of one, or something that opens an account like one.
    ///
    /// By the form of the name, since add-ons bring their own: `userPassword`, `zimbraDataSourcePassword`,
    /// `zimbraDataSourceSmtpAuthPassword`, `zimbraDataSourceOAuthToken`, `…OAuthClientSecret`, `zimbraTwoFactorAuthSecret`, `zimbraSSLPrivateKey`, `zimbraPreAuthKey`,
    /// `zimbraAuthTokenKey`.
    public static func contains(_ attribute: String) -> Bool {
        let name = attribute.lowercased()
        return ["password", "passwordhistory", "secret", "authtokens", "scratchcodes", "csrftokendata", "privatekey", "preauthkey", "tokenkey"].contains { name.hasSuffix($0) }
            || name.hasSuffix("token") && name.contains("oauth")
    }
}
