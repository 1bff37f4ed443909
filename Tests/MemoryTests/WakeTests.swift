import DataPlane
import Edge
import Testing

/// Requests of wakes on their way from the workers, and what becomes of them.
@Suite struct WakeTests {
    private func request(_ route: UInt64, _ name: String = "a.example") -> WakeRing.Request {
        WakeRing.Request(route: route, socket: Array("/run/wake.sock".utf8), name: Array(name.utf8))
    }

    private func append(_ request: WakeRing.Request, to ring: WakeRing) -> Bool {
        var line = LineBuilder()
        line.append(
            wakeOf: request.route, socketByteCount: request.socket.count, nameByteCount: request.name.count)
        for byte in request.socket + request.name { line.append(byte: byte) }
        return ring.append(line.bytes)
    }

    @Test("A request comes out as it went in, also around the ring's end")
    func roundTrip() {
        let ring = WakeRing()
        #expect(ring.take().isEmpty)
        for round in 0..<5000 {
            let sent = (0..<(round % 4)).map {
                request(UInt64(round) << 40 | UInt64($0), String(repeating: "n", count: round % 256))
            }
            for request in sent { #expect(append(request, to: ring)) }
            #expect(ring.take() == sent)
        }
    }

    @Test("A full ring drops what does not fit, and what fitted comes out whole")
    func full() {
        let ring = WakeRing()
        var count: UInt64 = 0
        while append(request(count), to: ring) { count += 1 }
        #expect(count > 1000)
        #expect(ring.take().map(\.route) == Array(0..<count))
        #expect(append(request(1), to: ring))
    }

    @Test("However many sessions and workers ask, a route's socket is told once a second")
    func coalesces() {
        var schedule = WakeSchedule()
        var sent: [UInt64: [UInt64]] = [:]
        for milliseconds in stride(from: UInt64(5000), to: 15_000, by: 1) {
            let now = milliseconds * 1_000_000
            for route in 0..<3 as Range<UInt64> where (milliseconds + route) % 7 == 0 {
                if schedule.admits(request(route, "\(route).example"), nowNanoseconds: now) {
                    sent[route, default: []].append(milliseconds)
                }
            }
            for due in schedule.takeDue(nowNanoseconds: now) {
                sent[due.route, default: []].append(milliseconds)
            }
        }
        #expect(sent.count == 3)
        for times in sent.values {
            #expect((9...10).contains(times.count))
            #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 >= 1000 && $1 - $0 <= 1030 })
        }
    }

    @Test("A route whose line has moved is told no more often under its name")
    func byName() {
        var schedule = WakeSchedule()
        let first = schedule.admits(request(1), nowNanoseconds: 5_000_000_000)
        let second = schedule.admits(request(2), nowNanoseconds: 5_500_000_000)
        #expect(first && !second)
        #expect(schedule.millisecondsToNext(nowNanoseconds: 5_500_000_000) == 501)
        let early = schedule.takeDue(nowNanoseconds: 5_900_000_000)
        let due = schedule.takeDue(nowNanoseconds: 6_000_000_000)
        #expect(early.isEmpty && due.map(\.route) == [2])
    }

    @Test("Nothing is kept of routes that nobody asks for any more")
    func forgets() {
        var schedule = WakeSchedule()
        for route in 0..<100 as Range<UInt64> {
            let isAdmitted = schedule.admits(request(route, "\(route)"), nowNanoseconds: 5_000_000_000)
            #expect(isAdmitted)
        }
        #expect(schedule.millisecondsToNext(nowNanoseconds: 5_000_000_000) == 1000)
        _ = schedule.takeDue(nowNanoseconds: 7_000_000_000)
        #expect(schedule.millisecondsToNext(nowNanoseconds: 7_000_000_000) == -1)
    }
}
