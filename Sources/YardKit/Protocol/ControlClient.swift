import Linux

/// Asks the edge on its control socket: one JSON object a line each way.
package struct ControlClient: ~Copyable {
    private let path: String
    private var stream: UnixStream
    private let timeoutMilliseconds: Int32

    /// Connects to the socket at `path`. It waits for an answer longer than the slowest one takes, if not
    /// told otherwise: a reload reads a million routes, an upgrade hands sessions over.
    package init(path: String, timeoutMilliseconds: Int32 = 120_000) throws(YardError) {
        self.path = path
        self.timeoutMilliseconds = timeoutMilliseconds
        do throws(Errno) {
            stream = try UnixStream(path: path)
        } catch {
            throw .connecting(to: path, error)
        }
    }

    /// One request, and the lines of its answer as they come; without `more` there is one.
    package mutating func ask(
        _ request: JSONValue, _ each: (JSONValue) throws(YardError) -> Void
    ) throws(YardError) {
        do throws(UnixStream.Failure) {
            try stream.send(Array((request.line + "\n").utf8))
        } catch {
            throw .talking(to: path, error)
        }
        while true {
            let answer = try readAnswer()
            try each(answer)
            guard answer["more"].flag == true else { return }
        }
    }

    /// One request that has one line as answer.
    package mutating func ask(_ request: JSONValue) throws(YardError) -> JSONValue {
        var last = JSONValue.null
        try ask(request) { last = $0 }
        return last
    }

    private mutating func readAnswer() throws(YardError) -> JSONValue {
        let line: [UInt8]
        do throws(UnixStream.Failure) {
            line = try stream.readLine(timeoutMilliseconds: timeoutMilliseconds)
        } catch {
            throw .talking(to: path, error)
        }
        guard let answer = try? JSONReader.read(line), let isGood = answer["ok"].flag else {
            throw YardError("\(path): this is not the answer of a switchyard", status: .notAsked)
        }
        guard isGood else {
            throw YardError(
                answer["error"].text ?? "the edge refuses, and does not say why", status: .refused)
        }
        return answer
    }
}

/// The requests.
package enum Request {
    /// A command without anything else.
    package static func plain(_ command: String) -> JSONValue { .object(["command": .string(command)]) }

    /// A command with what is not nil of the rest.
    package static func with(_ command: String, _ rest: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        let members = rest.compactMap { member in
            member.value.map { JSONMember(name: member.key, value: $0) }
        }
        return .object([JSONMember(name: "command", value: .string(command))] + members)
    }
}
