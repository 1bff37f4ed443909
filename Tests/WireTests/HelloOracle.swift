import COpenSSLOracle
import Wire

/// OpenSSL's server as the judge of what a hello says.
@safe struct HelloOracle: @unchecked Sendable {
    /// What OpenSSL made of the bytes.
    enum Verdict: Equatable {
        case needMore
        /// The name as sent.
        case name([UInt8])
        case noName
        /// `sawFields`: the hello's form was fine and OpenSSL did not like its content.
        case refused(reason: String, sawFields: Bool)
    }

    // SAFETY: the context is made once, never changed and never freed; OpenSSL counts its users with locks,
    // so that threads may make connections from it side by side (`@unchecked Sendable` above).
    private let context: UnsafeMutableRawPointer

    static let shared = HelloOracle()

    private init() {
        guard let made = unsafe openssl_oracle_make() else {
            preconditionFailure("OpenSSL gave no server context")
        }
        unsafe context = made
    }

    func ask(_ bytes: [UInt8]) -> Verdict {
        // SAFETY: the array lives through the call, and the answer holds no pointer.
        var answer = unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe openssl_oracle_ask(context, buffer.baseAddress, buffer.count)
        }
        switch Int(answer.outcome) {
        case OPENSSL_ORACLE_NEED_MORE: return .needMore
        case OPENSSL_ORACLE_NO_NAME: return .noName
        case OPENSSL_ORACLE_NAME:
            // SAFETY: the tuple is the C array, of 256 bytes; the count is at most that.
            return unsafe withUnsafeBytes(of: &answer.name) {
                unsafe .name(Array($0.prefix(answer.name_count)))
            }
        default:
            // SAFETY: OpenSSL's reason strings are static.
            let reason = unsafe String(cString: openssl_oracle_reason(answer.reason))
            return .refused(reason: reason, sawFields: answer.saw_fields != 0)
        }
    }
}

/// How the parser's answer stands beside OpenSSL's.
enum HelloAgreement: Hashable {
    /// The same name, both none, both refuse, or both wait.
    case same
    /// The parser refuses what OpenSSL takes.
    case stricter(String)
    /// The parser takes what OpenSSL refuses: no harm, as the backend will refuse it.
    case laxer(String)
    /// The parser sees another name than OpenSSL, or waits where OpenSSL answers. Never allowed.
    case contradiction(String)

    init(_ outcome: HelloOutcome, _ hello: ClientHello, _ verdict: HelloOracle.Verdict) {
        switch (outcome, verdict) {
        case (.name, .name(let name)) where HostName.spelled(name) == hello.name: self = .same
        case (.noName, .noName), (.needMore, .needMore): self = .same
        case (.name, .refused(let reason, let sawFields)), (.noName, .refused(let reason, let sawFields)):
            self = .laxer("\(reason)\(sawFields ? "" : ", before it had the fields")")
        case (.needMore, .refused(let reason, _)): self = .laxer("waits: \(reason)")
        case (.name, _), (.noName, _), (.needMore, _):
            self = .contradiction("the parser says \(outcome) \(hello.name.text), OpenSSL \(verdict)")
        case (_, .name), (_, .noName): self = .stricter("\(outcome)")
        case (_, .refused), (_, .needMore): self = .same
        }
    }
}
