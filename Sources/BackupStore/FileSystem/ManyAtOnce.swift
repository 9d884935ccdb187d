#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import Dispatch
import Synchronization

extension FileSystem {
    /// As many as there are processors; one where the file system is not the machine's: what happens there must happen again.
    static var threads: Int { Self.self == PosixFileSystem.self ? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) : 1 }

    /// Fewer are done by the calling thread alone.
    private static var fewest: Int { 32 }

    /// Calls `body` with each number below `count`, on several threads; in order and on the calling one where that is all there is.
    ///
    /// - Parameter threads: nil = all processors, if there is enough to do.
    /// - Throws: what `body` threw first; what had not begun then is not done.
    func manyAtOnce(_ count: Int, threads: Int? = nil, _ body: (Int) throws -> Void) throws {
        let threads = min(threads ?? min(Self.threads, count / Self.fewest), count)
        guard threads > 1 else {
            for number in 0..<count { try body(number) }
            return
        }
        let next = Atomic<Int>(0)
        let failure = Mutex<(any Error)?>(nil)
        withoutActuallyEscaping(body) { body in
            nonisolated(unsafe) let body = body  // Whoever calls hands out what may be shared.
            DispatchQueue.concurrentPerform(iterations: threads) { _ in
                while case let number = next.add(1, ordering: .relaxed).oldValue, number < count {
                    do {
                        try body(number)
                    } catch {
                        next.store(count, ordering: .relaxed)
                        failure.withLock { $0 = $0 ?? error }
                    }
                }
            }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }
}
