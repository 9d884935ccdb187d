import SystemPackage

/// The power failed: thrown by the call at which it did, and by every call after it.
public struct PowerFailure: Error {
    /// A failure without a cause that anything could know.
    public init() {}
}

/// A fault to come at one call of a simulated disk.
public struct SimulatedFault: Sendable {
    /// At which call, counted from 1.
    public var call: Int
    /// What it throws; nil is the power failing.
    public var error: Errno?
    /// How many bytes of a write reach the file before it fails.
    public var tornBytes: Int

    /// A fault made of its parts.
    public init(call: Int, error: Errno?, tornBytes: Int = 0) {
        self.call = call
        self.error = error
        self.tornBytes = tornBytes
    }
}

/// Room on a simulated disk, and what its calls throw when there is none.
public struct SimulatedLimits: Sendable {
    /// Bytes that all files together may have; a write that needs more writes what fits, and throws.
    public var bytes = Int.max
    /// Files and folders there may be.
    public var inodes = Int.max
    /// What is thrown: `ENOSPC`, or `EDQUOT` for a quota.
    public var error = Errno.noSpace

    /// No limits.
    public init() {}
}
