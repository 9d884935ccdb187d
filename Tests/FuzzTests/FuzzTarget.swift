import Foundation

@testable import BackupStore
@testable import RedoLog
@testable import zxbackup

/// What was found wrong with an input, beside a trap: in words.
struct FuzzFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A reader of bytes that strangers, damaged disks or other programs may write.
enum FuzzTarget: String, CaseIterable, Sendable, CustomStringConvertible {
    case redolog, follower, history, journal, gzip, metadata, mime, commandline, configuration

    var description: String { rawValue }

    /// Reads the input as the product does. Its own errors are what is expected for bad input.
    ///
    /// - Throws: `FuzzFailure` where what comes out contradicts itself, or an error is not one of the product's.
    func run(_ bytes: [UInt8]) throws {
        do {
            try read(bytes)
        } catch is RedoLogError {
        } catch is StoreError {
        } catch is BlobDamage {
        } catch is ConfigurationError {
        } catch is UsageError {
        } catch let failure as FuzzFailure {
            throw failure
        } catch {
            throw FuzzFailure("\(type(of: error)) is no error of the product: \(error)")
        }
    }

    private func read(_ bytes: [UInt8]) throws {
        switch self {
        case .redolog: try RedoLogFuzz.read(bytes)
        case .follower: try RedoLogFuzz.follow(bytes)
        case .history: try StoreFuzz.history(bytes)
        case .journal: try StoreFuzz.journal(bytes)
        case .gzip: try StoreFuzz.gzip(bytes)
        case .metadata: try TextFuzz.metadata(bytes)
        case .mime: try TextFuzz.mime(bytes)
        case .commandline: try TextFuzz.commandLine(bytes)
        case .configuration: try TextFuzz.configuration(bytes)
        }
    }

    /// Well-formed inputs to begin with, from the fixtures of the other tests.
    func seeds() throws -> [[UInt8]] {
        switch self {
        case .redolog, .follower: try Samples.logs()
        case .history: try Samples.historyLines()
        case .journal: Samples.journalPayloads()
        case .gzip: try Samples.gzipMembers()
        case .metadata: try Samples.metadata()
        case .mime: Samples.messages
        case .commandline: Samples.commandLines
        case .configuration: Samples.configurations
        }
    }

    /// Inputs that once failed, or that a search found to go where nothing else goes.
    func found() throws -> [(name: String, bytes: [UInt8])] {
        let folder = Samples.tests.appendingPathComponent("Fixtures/fuzz/\(rawValue)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return try names.sorted().map { ($0, [UInt8](try Data(contentsOf: folder.appendingPathComponent($0)))) }
    }

    /// The longest input worth trying, in bytes; `Scripts/fuzz` tells libFuzzer the same.
    static let longest = 8192
}
