/// A rule that a debug build can be told to break, to show that the searches of BackupStoreTesting find what follows.
///
/// In release builds no rule can be broken, and the questions cost nothing.
package enum BrokenRule: String, CaseIterable, Sendable {
    /// Blobs are not made durable before the commit that names them.
    case r1
    /// Blobs go before the removal of their last reference is committed.
    case r2
    /// A commit returns before its frame is durable.
    case r3
    /// The source position is not in the record of its transaction.
    case r4
    /// A checkpoint counts before the histories are durable.
    case r5
    /// Frames are believed without their checksum.
    case r6
    /// A copy is taken for the original.
    case r7
    /// A second sync that succeeds is believed.
    case r10
    /// Segments are preallocated: they change without changing their size.
    case r13

    #if DEBUG
        /// The rule that is broken in the present task.
        @TaskLocal package static var current: BrokenRule?

        static func breaks(_ rule: BrokenRule) -> Bool { current == rule }
    #else
        @inline(__always) static func breaks(_ rule: BrokenRule) -> Bool { false }
    #endif
}
