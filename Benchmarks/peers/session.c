#define _GNU_SOURCE
#include "session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct settings settings;
const char *const outcomeNames[OUTCOMES] = {"ok",      "refused", "reset",     "truncated", "alert",
                                            "timeout", "corrupt", "misrouted", "stale",     "closed"};

static void nameOf(const struct session *session, char into[256]) {
    if (settings.name) snprintf(into, 256, "%s", settings.name);
    else snprintf(into, 256, "site%u.example", session->nameIndex);
}

static int holds(void) { return settings.work >= WORK_IDLE; }

static void complain(const struct session *session, enum outcome outcome) {
    static atomic_int complaints;
    if (atomic_fetch_add(&complaints, 1) >= 5) return;
    char name[256], at[INET_ADDRSTRLEN];
    nameOf(session, name);
    inet_ntop(AF_INET, &session->greeting.address, at, sizeof at);
    fprintf(stderr, "load: %s: %s (phase %d, %llu bytes, answered by %s:%d as \"%.*s\", errno %d, after %.3f s)\n",
            outcomeNames[outcome], name, session->phase, (unsigned long long)session->received, at,
            ntohs(session->greeting.port), session->greeting.nameSize % 256, session->greeting.name, errno,
            (double)(nowNs() - session->started) / 1e9);
}

static void finish(struct worker *worker, struct session *session, enum outcome outcome) {
    uint64_t now = nowNs();
    if (outcome != OUTCOME_OK && outcome != OUTCOME_CLOSED) complain(session, outcome);
    worker->outcomes[outcome]++;
    if (outcome >= OUTCOME_REFUSED && outcome <= OUTCOME_TIMEOUT && session->started > worker->lostStart)
        worker->lostStart = session->started;
    worker->lastFinish = now;
    // What is measured: a short session from connect to end of stream, how long the router let a held one live,
    // and for round trips each message by itself.
    if (outcome == OUTCOME_CLOSED || (outcome == OUTCOME_OK && settings.work != WORK_ROUNDTRIP))
        histogramAdd(&worker->latency, now - session->started);
    if (session->phase == PHASE_HOLD) atomic_fetch_sub(&worker->held, 1);
    atomic_fetch_add(&worker->finished, 1);
    close(session->fd);
    session->phase = PHASE_FREE;
    session->fd = -1;
    worker->active--;
    worker->freeSlots[worker->freeCount++] = (uint32_t)(session - worker->sessions);
}

static void watch(struct worker *worker, struct session *session, int operation) {
    struct epoll_event event = {.events = EPOLLIN | (session->wantsOut ? (uint32_t)EPOLLOUT : 0u), .data.ptr = session};
    epoll_ctl(worker->epollFd, operation, session->fd, &event);
}

static void setWantsOut(struct worker *worker, struct session *session, uint8_t wants) {
    if (session->wantsOut == wants) return;
    session->wantsOut = wants;
    watch(worker, session, EPOLL_CTL_MOD);
}

static void hold(struct worker *worker, struct session *session) {
    session->phase = PHASE_HOLD;
    session->phaseStarted = nowNs();
    atomic_fetch_add(&worker->held, 1);
}

static size_t makeHello(const struct session *session, uint8_t *into) {
    static const uint8_t kinds[] = {[WORK_SHORT] = ORDER_SHORT,      [WORK_ROUNDTRIP] = ORDER_ECHO,
                                    [WORK_BULK] = ORDER_BULK,        [WORK_IDLE] = ORDER_HOLD,
                                    [WORK_SLOWHELLO] = ORDER_SHORT,  [WORK_BLACKHOLE] = ORDER_SILENT,
                                    [WORK_FLOOD] = ORDER_SILENT};
    struct order order = {.magic = ORDER_MAGIC,
                          .kind = kinds[settings.work],
                          .flags = (uint8_t)((settings.down ? ORDER_DOWN : 0) | (settings.up ? ORDER_UP : 0)),
                          .amount = settings.amount,
                          .serial = session->serial,
                          .greetingSize = (uint32_t)settings.greetingSize};
    if (settings.unread) order.kind = ORDER_BULK, order.flags = ORDER_DOWN, order.amount = settings.unread;
    char name[256];
    nameOf(session, name);
    if (settings.helloSize) return helloMake(into, settings.helloSize, name, &order);
    return helloRename(into, settings.recorded, &settings.recordedLayout, name, &order);
}

// Sends what is due of the hello. The bytes are made anew each time, the same for the same session, so that
// ten thousand slow clients need no buffers.
static void sendHello(struct worker *worker, struct session *session) {
    uint8_t hello[HELLO_MAX_BYTES + NAME_MAX_BYTES];
    size_t size = makeHello(session, hello), due = size;
    if (settings.stopAt >= 0 && (size_t)settings.stopAt < due) due = (size_t)settings.stopAt;
    if (settings.interval > 0 && session->helloSent + 1u < due) due = session->helloSent + 1u;
    while (session->helloSent < due) {
        ssize_t sent = send(session->fd, hello + session->helloSent, due - session->helloSent, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            setWantsOut(worker, session, 1);
            return;
        }
        if (sent < 0) {
            finish(worker, session, holds() ? OUTCOME_CLOSED : errno == ECONNREFUSED ? OUTCOME_REFUSED : OUTCOME_RESET);
            return;
        }
        session->helloSent += (uint32_t)sent;
    }
    setWantsOut(worker, session, 0);
    if (session->helloSent == size && settings.work != WORK_BLACKHOLE && settings.work != WORK_FLOOD) {
        session->phase = PHASE_GREETING;
    } else if (session->helloSent == size || (settings.stopAt >= 0 && session->helloSent >= (size_t)settings.stopAt)) {
        // Nothing is to be read: a silent client. Only the end of the connection will be noticed.
        hold(worker, session);
    } else {
        // Clients that started together would stay in step: their bytes would come in one burst an interval, and the
        // others would wait for the burst and not for the router. A first pause of its own spreads them.
        double spread = (double)((session->serial * 0x9e3779b97f4a7c15u) >> 11) / (double)(1ull << 53);
        double pause = session->helloSent > 1 ? 1 : spread;
        session->nextByteAt = nowNs() + (uint64_t)(pause * settings.interval * 1e9);
    }
}

void sessionStart(struct worker *worker, uint64_t now) {
    struct session *session = &worker->sessions[worker->freeSlots[--worker->freeCount]];
    worker->random ^= worker->random << 13, worker->random ^= worker->random >> 7, worker->random ^= worker->random << 17;
    *session = (struct session){.phase = PHASE_HELLO,
                                .nameIndex = (uint32_t)(worker->random % settings.names),
                                .serial = (uint64_t)worker->index << 48 | worker->serial++,
                                .started = now,
                                .progressed = now,
                                .messagesLeft = settings.messages};
    if (settings.generation) session->generation = atomic_load(&settings.generation[0]);
    if (worker->started++ == 0) worker->firstStart = now;
    worker->active++;
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (session->fd < 0) die("load: socket: %s", strerror(errno));
    int yes = 1;
    setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (settings.fromGiven) {
        struct sockaddr_in from = addressesAt(&settings.from, (uint32_t)(session->serial % settings.from.count));
        // The port is then chosen at connect, when the whole four-tuple is known: ports do not run out.
        setsockopt(session->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
        if (bind(session->fd, (struct sockaddr *)&from, sizeof from) < 0) die("load: bind: %s", strerror(errno));
    }
    struct sockaddr_in to = addressesAt(&settings.connect, 0);
    if (connect(session->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        if (errno == EADDRNOTAVAIL) die("load: no source ports left; widen --from");
        finish(worker, session, OUTCOME_REFUSED);
        return;
    }
    watch(worker, session, EPOLL_CTL_ADD);
    // On loopback the handshake is usually complete when connect returns.
    sendHello(worker, session);
}

static enum outcome checkGreeting(struct worker *worker, const struct session *session) {
    const struct greeting *greeting = &session->greeting;
    char name[256];
    nameOf(session, name);
    if (greeting->magic != GREETING_MAGIC || greeting->serial != session->serial) return OUTCOME_CORRUPT;
    if (greeting->nameSize != strlen(name) || memcmp(greeting->name, name, greeting->nameSize) != 0) return OUTCOME_CORRUPT;
    if (!settings.backendsGiven || settings.name) return OUTCOME_OK;
    uint64_t backends = settings.backends.count, landed = ntohl(greeting->address) - settings.backends.first;
    if (landed >= backends || ntohs(greeting->port) != settings.backends.port) return OUTCOME_MISROUTED;
    if (settings.anyBackend) {
        worker->landed[landed]++;
        return OUTCOME_OK;
    }
    if (settings.generation == NULL || session->nameIndex % settings.movers != 0)
        return landed == session->nameIndex % backends ? OUTCOME_OK : OUTCOME_MISROUTED;
    // A moving name: any generation that was in force at some time between connect and now is right.
    uint64_t newest = atomic_load(&settings.generation[1]);
    if (newest - session->generation > worker->windowMax) worker->windowMax = newest - session->generation;
    for (uint64_t generation = session->generation; generation <= newest; generation++)
        if (landed == (session->nameIndex + generation) % backends) return OUTCOME_OK;
    for (uint64_t back = 1; back <= 3 && back <= session->generation; back++)
        if (landed == (session->nameIndex + session->generation - back) % backends) return OUTCOME_STALE;
    return OUTCOME_MISROUTED;
}

static void shutDownOnce(struct session *session) {
    if (session->shutDown) return;
    session->shutDown = 1;
    shutdown(session->fd, SHUT_WR);
}

static void sendMessage(struct worker *worker, struct session *session) {
    uint8_t message[4096];
    memcpy(message, patternAt(session->serial + session->messagesLeft), settings.messageSize);
    session->phaseStarted = nowNs();
    session->received = 0;
    // A message is far smaller than an empty send buffer, and there is never more than one on its way.
    if (send(session->fd, message, settings.messageSize, MSG_NOSIGNAL) != (ssize_t)settings.messageSize)
        finish(worker, session, OUTCOME_RESET);
}

static void upload(struct worker *worker, struct session *session) {
    if (!settings.up || session->shutDown) return;
    uint64_t left = settings.amount - session->uploaded;
    if (left > 0) {
        size_t size = left < PATTERN_SPAN ? (size_t)left : PATTERN_SPAN;
        ssize_t sent = send(session->fd, patternAt(session->uploaded), size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            finish(worker, session, OUTCOME_RESET);
            return;
        }
        if (sent > 0) session->uploaded += (uint64_t)sent, worker->bytesUp += (uint64_t)sent, session->progressed = worker->now;
    }
    if (session->uploaded == settings.amount) shutDownOnce(session);
    setWantsOut(worker, session, !session->shutDown);
}

// The greeting is whole.
static void begin(struct worker *worker, struct session *session) {
    enum outcome outcome = checkGreeting(worker, session);
    if (outcome != OUTCOME_OK) {
        finish(worker, session, outcome);
        return;
    }
    session->received = 0;
    switch (settings.work) {
    case WORK_ROUNDTRIP:
        session->phase = PHASE_WORK;
        sendMessage(worker, session);
        break;
    case WORK_BULK:
        session->phase = PHASE_WORK;
        upload(worker, session);
        break;
    case WORK_IDLE: hold(worker, session); break;
    default: session->phase = PHASE_CLOSING; break;
    }
}

static void takeMessage(struct worker *worker, struct session *session, size_t size) {
    const uint8_t *expected = patternAt(session->serial + session->messagesLeft) + session->received;
    if (session->received + size > settings.messageSize || memcmp(worker->buffer, expected, size) != 0) {
        finish(worker, session, OUTCOME_CORRUPT);
        return;
    }
    session->received += size;
    if (session->received < settings.messageSize) return;
    histogramAdd(&worker->latency, nowNs() - session->phaseStarted);
    worker->messages++;
    if (--session->messagesLeft > 0) {
        sendMessage(worker, session);
    } else {
        session->phase = PHASE_CLOSING;
        shutDownOnce(session);
    }
}

static void takeBulk(struct worker *worker, struct session *session, const uint8_t *bytes, size_t size) {
    uint64_t stream = settings.down ? settings.amount : 0;
    size_t body = session->received >= stream ? 0 : stream - session->received < size ? (size_t)(stream - session->received) : size;
    if (settings.check && body > 0 && memcmp(bytes, patternAt(session->received), body) != 0) {
        finish(worker, session, OUTCOME_CORRUPT);
        return;
    }
    session->received += body;
    worker->bytesDown += body;
    size_t rest = size - body, at = (size_t)(session->received - stream);
    if (session->received < stream || rest == 0) return;
    if (!settings.up || at + rest > sizeof session->receipt) {
        finish(worker, session, OUTCOME_CORRUPT);
        return;
    }
    memcpy((uint8_t *)&session->receipt + at, bytes + body, rest);
    session->received += rest;
}

static int bulkComplete(const struct session *session) {
    if (session->received != (settings.down ? settings.amount : 0) + (settings.up ? sizeof session->receipt : 0)) return 0;
    return !settings.up || (session->receipt.received == settings.amount && session->receipt.wrong == 0);
}

static void onEnd(struct worker *worker, struct session *session) {
    int complete = session->phase == PHASE_CLOSING ||
                   (session->phase == PHASE_WORK && settings.work == WORK_BULK && bulkComplete(session));
    if (complete) finish(worker, session, OUTCOME_OK);
    else if (session->phase == PHASE_GREETING && session->received >= 2 && ((uint8_t *)&session->greeting)[0] == 0x15)
        finish(worker, session, holds() ? OUTCOME_CLOSED : OUTCOME_ALERT);
    else finish(worker, session, holds() ? OUTCOME_CLOSED : OUTCOME_TRUNCATED);
}

static void onReadable(struct worker *worker, struct session *session) {
    if (settings.unread && session->phase == PHASE_HOLD) return; // a client that stalls; see sessionEvent
    // Without checking, bulk bytes are dropped in the kernel (MSG_TRUNC): the load then costs little beside the router.
    int drop = session->phase == PHASE_WORK && settings.work == WORK_BULK && !settings.check && !settings.up;
    ssize_t got = recv(session->fd, worker->buffer, sizeof worker->buffer, drop ? MSG_TRUNC : 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) {
        enum outcome outcome = errno == ECONNREFUSED && session->phase == PHASE_HELLO ? OUTCOME_REFUSED : OUTCOME_RESET;
        finish(worker, session, holds() ? OUTCOME_CLOSED : outcome);
        return;
    }
    if (got == 0) {
        onEnd(worker, session);
        return;
    }
    size_t size = (size_t)got, taken = 0;
    session->progressed = worker->now;
    if (session->phase == PHASE_HELLO) session->phase = PHASE_GREETING; // an alert before the hello was whole
    if (session->phase == PHASE_GREETING) {
        taken = settings.greetingSize - session->received < size ? (size_t)(settings.greetingSize - session->received) : size;
        if (session->received < sizeof session->greeting) {
            size_t part = sizeof session->greeting - session->received < taken ? sizeof session->greeting - session->received : taken;
            memcpy((uint8_t *)&session->greeting + session->received, worker->buffer, part);
        }
        session->received += taken;
        if (session->received < settings.greetingSize) return;
        begin(worker, session);
        if (session->phase == PHASE_FREE || size == taken) return;
    }
    if (session->phase == PHASE_WORK && settings.work == WORK_ROUNDTRIP) takeMessage(worker, session, size - taken);
    else if (session->phase == PHASE_WORK) takeBulk(worker, session, worker->buffer + taken, size - taken);
    else if (session->phase == PHASE_CLOSING) finish(worker, session, OUTCOME_CORRUPT); // more than was ordered
    // A held session drops what comes: an alert, say.
}

void sessionEvent(struct worker *worker, struct session *session, uint32_t events) {
    if (session->phase == PHASE_FREE) return;
    if (events & EPOLLOUT) {
        if (session->phase == PHASE_HELLO && settings.interval == 0) sendHello(worker, session);
        else if (session->phase == PHASE_HELLO) setWantsOut(worker, session, 0); // connected; the tick sends
        else upload(worker, session);
    }
    if (session->phase == PHASE_FREE) return;
    if (settings.unread && session->phase == PHASE_HOLD) {
        // Unread bytes keep EPOLLIN true; only an error or hang-up ends a stalled session. EPOLLET quietens it.
        struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = session};
        if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) finish(worker, session, OUTCOME_CLOSED);
        else epoll_ctl(worker->epollFd, EPOLL_CTL_MOD, session->fd, &event);
        return;
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) onReadable(worker, session);
}

void sessionTick(struct worker *worker, struct session *session, uint64_t now) {
    if (session->phase == PHASE_HELLO && settings.interval > 0 && !session->wantsOut && now >= session->nextByteAt) {
        sendHello(worker, session);
        return;
    }
    // Held sessions end by the router's time-outs or the script's; so do slow ones and those still in a backlog.
    if (session->phase == PHASE_HOLD || settings.work > WORK_IDLE || settings.timeout <= 0) return;
    // Long work may take as long as it likes while bytes move.
    if (now > session->progressed + (uint64_t)(settings.timeout * 1e9)) finish(worker, session, OUTCOME_TIMEOUT);
}
