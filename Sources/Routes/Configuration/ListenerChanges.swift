/// What a reload does to the open ports. A port is its address; what is spoken on it may change while it
/// stays open.
package struct ListenerChanges: Hashable, Sendable {
    /// Ports of the new configuration that the old one did not have: to be bound.
    package private(set) var opened: [Listener] = []
    /// Ports that only the old configuration has: to be closed.
    package private(set) var closed: [Listener] = []
    /// Ports that stay open, with the same settings; in their new form.
    package private(set) var kept: [Listener] = []
    /// Ports that stay open and get other settings; in their new form.
    package private(set) var changed: [Listener] = []

    /// Compares two configurations; each list has the order of its file.
    package init(from old: Configuration, to new: Configuration) {
        var before: [IPEndpoint: Listener] = [:]
        for listener in old.listeners { before[listener.endpoint] = listener }
        for listener in new.listeners {
            guard var known = before.removeValue(forKey: listener.endpoint) else {
                opened.append(listener)
                continue
            }
            // A listener that moved in the file is the same.
            known.place = listener.place
            if known == listener { kept.append(listener) } else { changed.append(listener) }
        }
        closed = old.listeners.filter { before[$0.endpoint] != nil }
    }

    /// True exactly when all ports stay as they are.
    package var isEmpty: Bool { opened.isEmpty && closed.isEmpty && changed.isEmpty }
}
