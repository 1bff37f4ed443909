import CLinux

/// Two workers, one after the other, on one simulated kernel: both know a socket by the same number.
extension SimulatedBackend {
    package mutating func pauseListeners() -> Bool {
        isAccepting = false
        hurryAccepts()
        return !outstanding.contains { $0.completion.token.kind == .accept }
    }

    package func surplus(_ place: Int) -> (index: UInt32, descriptor: Int32)? { nil }

    package mutating func abandonListener(_ descriptor: Int32) {}

    package mutating func abandon(_ descriptor: Int32) {
        guard let id = connection(of: descriptor, "abandon") else { return }
        if connections[id].inFlightCount > 0 {
            trace.violate("connection \(id) is given up with operations in flight")
        }
    }

    package mutating func takeOver(_ descriptor: Int32, owner: Token, isUnix: Bool) {
        guard let id = connection(of: descriptor, "takeOver") else { return }
        note(.adopt, id, Int(owner.slot))
        if connections[id].inFlightCount > 0 {
            trace.violate("connection \(id) is taken over with operations in flight")
        }
        connections[id].owner = owner
    }

    /// Both numbers are the pipe's place.
    package func ends(of pipe: PipeIndex) -> PipeEnds { PipeEnds(readEnd: pipe.raw, writeEnd: pipe.raw) }

    package mutating func adoptPipe(_ ends: PipeEnds) -> PipeIndex? {
        // The one that the worker before gives back when it gives its sessions up.
        let copy = pipes[Int(ends.readEnd)]
        pipes.append(copy)
        return PipeIndex(Int32(pipes.count - 1))
    }
}
