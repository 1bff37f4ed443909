import Logging

/// The way to the engine, which may be away when this process starts, and go and come back meanwhile.
package actor EngineLink {
    private let socket: String
    private var engine: Engine?

    package init(socket: String) { self.socket = socket }

    /// Connects if need be. An engine that came back may be of another version, so it is asked anew.
    private func connected() async throws(EngineError) -> Engine {
        if let engine { return engine }
        let new = try await Engine(socket: socket)
        // Somebody else may have been quicker.
        if let engine {
            await new.shutDown()
            return engine
        }
        engine = new
        return new
    }

    /// Forgets an engine that does not answer.
    private func drop(_ failed: Engine) async {
        guard engine?.identity == failed.identity else { return }
        engine = nil
        await failed.shutDown()
    }

    /// Does something with the engine.
    nonisolated package func use<Value: Sendable>(
        _ body: @Sendable (Engine) async throws(EngineError) -> Value
    ) async throws(Refusal) -> Value {
        do throws(EngineError) {
            let engine = try await connected()
            do throws(EngineError) {
                return try await body(engine)
            } catch {
                // What others have asked one that is late may still be answered; and who does not want an
                // answer any more has learned nothing of it.
                if error.isUnreachable, !error.isLate, !Task.isCancelled { await drop(engine) }
                throw error
            }
        } catch {
            throw Refusal(error)
        }
    }

    /// For the end of the process.
    package func shutDown() async {
        await engine?.shutDown()
        engine = nil
    }
}
