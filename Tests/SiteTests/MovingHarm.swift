import Foundation
import Support

/// What may happen to two hosters while a site moves between them.
enum MovingHarm: String, CaseIterable {
    /// `kill -9` of a yardmaster; it is started again.
    case killGiver, killTaker
    /// `kill -9` of every rsync, at whichever side.
    case killCopies
    /// Nothing goes over the link between the hosters for a while.
    case cutLink

    /// Does it, and makes the machines whole again.
    func happen(to giver: MovingHoster, and taker: MovingHoster, pauseMilliseconds: UInt32) throws {
        switch self {
        case .killGiver, .killTaker:
            let victim = self == .killGiver ? giver : taker
            try victim.killYardmaster()
            Pause.milliseconds(pauseMilliseconds)
            try victim.startYardmaster()
        case .killCopies:
            // There may be none at this moment; the next one is as good.
            _ = Pause.until(seconds: 3) {
                let copies = giver.processes(named: "rsync") + taker.processes(named: "rsync")
                for identifier in copies { kill(identifier, SIGKILL) }
                return !copies.isEmpty
            }
        case .cutLink:
            try taker.setLink(isCut: true)
            Pause.milliseconds(pauseMilliseconds)
            try taker.setLink(isCut: false)
        }
    }
}

extension MovingHoster {
    /// The identifiers of its processes of a name.
    func processes(named name: String) -> [pid_t] {
        let listed = try? run("ip", ["netns", "pids", namespace])
        return (listed?.output ?? "").split(separator: "\n").compactMap { pid_t($0) }.filter { identifier in
            let comm = try? String(contentsOfFile: "/proc/\(identifier)/comm", encoding: .utf8)
            return comm == name + "\n"
        }
    }

    /// A device that is set down would take its routes along, which a cut cable does not.
    fileprivate func setLink(isCut: Bool) throws {
        let ran = try run(
            "ip",
            [
                "netns", "exec", namespace, "iptables", isCut ? "-I" : "-D", "INPUT", "-i", "peer", "-j",
                "DROP",
            ])
        guard ran.succeeded else { throw ChildProcessError(description: ran.everything) }
    }
}
