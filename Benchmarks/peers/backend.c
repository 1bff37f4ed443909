// The backend behind every router in the benchmarks: reads the ClientHello, says who it is and which name it
// read, then does the work that the hello orders (wire.h). One process serves a whole range of loopback
// addresses, so that routes can lead to many different backends without as many processes.
//
// backend --listen 127.0.1.1-127.0.1.20:9443 [--workers N]

#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"
#include "wire.h"

enum phase {
    PHASE_FREE,     // no session has this descriptor
    PHASE_LISTENER, // the descriptor is one of our listeners
    PHASE_HELLO,    // collecting the hello; leaves when it is whole or is not one
    PHASE_WORK,     // order understood, greeting queued
};

struct session {
    enum phase phase;
    uint16_t listener; // index of the address that was reached
    uint8_t kind, flags;
    uint8_t ended;     // the client's end of stream was read
    uint8_t wantsOut;  // EPOLLOUT is armed
    uint8_t *pending;  // bytes to send before anything else; rarely needed, so allocated
    uint32_t pendingSize, pendingSent;
    uint64_t downLeft, downSent, received, wrong;
};

static struct addresses listenRange;
static struct session *sessions; // by descriptor
static int descriptorsMax;
static int epollFd;
static uint8_t buffer[PATTERN_SPAN];

static void finish(int fd) {
    free(sessions[fd].pending);
    sessions[fd] = (struct session){0};
    close(fd);
}

static void watch(int fd, int operation) {
    struct session *session = &sessions[fd];
    struct epoll_event event = {.data.fd = fd};
    // After the end of stream EPOLLIN would fire for ever.
    event.events = (session->ended ? 0u : (uint32_t)EPOLLIN) | (session->wantsOut ? (uint32_t)EPOLLOUT : 0u);
    epoll_ctl(epollFd, operation, fd, &event);
}

// Sends what the kernel takes now and keeps the rest. False when the session is gone.
static int sendOrKeep(int fd, const void *bytes, size_t size) {
    struct session *session = &sessions[fd];
    ssize_t sent = 0;
    if (session->pending == NULL) {
        sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return 0;
        if (sent < 0) sent = 0;
        if ((size_t)sent == size) return 1;
    }
    size_t left = size - (size_t)sent;
    uint8_t *grown = realloc(session->pending, session->pendingSize + left);
    if (grown == NULL) return 0;
    memcpy(grown + session->pendingSize, (const uint8_t *)bytes + sent, left);
    session->pending = grown;
    session->pendingSize += (uint32_t)left;
    return 1;
}

// Sends as much as the order and the socket allow. Returns 0 when the session is over.
static int pushDown(int fd) {
    struct session *session = &sessions[fd];
    if (session->pending != NULL) {
        ssize_t sent = send(fd, session->pending + session->pendingSent, session->pendingSize - session->pendingSent,
                            MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN;
        session->pendingSent += (uint32_t)sent;
        if (session->pendingSent < session->pendingSize) return 1;
        free(session->pending);
        session->pending = NULL;
        session->pendingSize = session->pendingSent = 0;
    }
    // One large send a turn: the other sessions get theirs, and level-triggered readiness brings us back.
    if (session->downLeft > 0) {
        size_t size = session->downLeft < PATTERN_SPAN ? (size_t)session->downLeft : PATTERN_SPAN;
        ssize_t sent = send(fd, patternAt(session->downSent), size, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN;
        session->downSent += (uint64_t)sent;
        session->downLeft -= (uint64_t)sent;
        if (session->downLeft > 0) return 1;
    }
    switch (session->kind) {
    case ORDER_SHORT: return 0;
    case ORDER_BULK:
        if (!(session->flags & ORDER_UP)) return 0; // nothing is awaited: close in good order
        if (!session->ended) return 1;
        if (session->flags & ORDER_RECEIPTED) return 0; // receipt already sent
        session->flags |= ORDER_RECEIPTED;
        struct receipt receipt = {.received = session->received, .wrong = session->wrong};
        if (!sendOrKeep(fd, &receipt, sizeof receipt)) return 0;
        return session->pending != NULL;
    default: return !session->ended;
    }
}

static int begin(int fd, const struct hello *hello) {
    struct session *session = &sessions[fd];
    struct order order;
    memcpy(&order, buffer + hello->random, sizeof order);
    // A hello that did not come from load (a health check, curl): greet and close.
    if (order.magic != ORDER_MAGIC) order = (struct order){.kind = ORDER_SHORT, .greetingSize = 1024};
    session->phase = PHASE_WORK;
    session->kind = order.kind;
    session->flags = order.flags & (ORDER_DOWN | ORDER_UP);
    if (order.kind == ORDER_BULK && (order.flags & ORDER_DOWN)) session->downLeft = order.amount;
    if (order.kind == ORDER_SILENT) return 1;

    static uint8_t reply[65536];
    struct sockaddr_in at = addressesAt(&listenRange, session->listener);
    struct greeting greeting = {.magic = GREETING_MAGIC,
                                .address = at.sin_addr.s_addr,
                                .port = at.sin_port,
                                .nameSize = (uint16_t)hello->nameSize,
                                .serial = order.serial};
    memcpy(greeting.name, buffer + hello->name, hello->nameSize);
    size_t size = order.greetingSize;
    if (size < sizeof greeting) size = sizeof greeting;
    if (size > sizeof reply) size = sizeof reply;
    memcpy(reply, &greeting, sizeof greeting);
    return sendOrKeep(fd, reply, size) && pushDown(fd);
}

static int receiveUp(int fd) {
    struct session *session = &sessions[fd];
    ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) {
        session->ended = 1;
        return pushDown(fd);
    }
    if (session->kind == ORDER_ECHO) return sendOrKeep(fd, buffer, (size_t)got);
    if (session->kind == ORDER_BULK && memcmp(buffer, patternAt(session->received), (size_t)got) != 0) session->wrong++;
    session->received += (uint64_t)got;
    return 1;
}

// The hello nearly always comes in one piece. If not, it is left in the socket (MSG_PEEK) until it is whole, so
// that a session needs no buffer; level-triggered readiness would spin meanwhile, hence the raised low-water mark.
static int readHello(int fd) {
    struct hello hello = {0};
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_PEEK);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return 0;
    int answer = helloFind(buffer, (size_t)got, &hello);
    if (answer < 0) return 0;
    if (answer == 0) {
        int wanted = (int)got + 1;
        setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted);
        return 1;
    }
    static uint8_t discarded[HELLO_MAX_BYTES];
    if (hello.size > sizeof discarded || recv(fd, discarded, hello.size, 0) != (ssize_t)hello.size) return 0;
    return begin(fd, &hello);
}

static void serve(int fd, uint32_t events) {
    struct session *session = &sessions[fd];
    int alive = !(events & EPOLLERR);
    if (alive && (events & (EPOLLIN | EPOLLHUP))) {
        alive = session->phase == PHASE_HELLO ? readHello(fd) : session->ended ? !(events & EPOLLHUP) : receiveUp(fd);
    }
    if (alive && (events & EPOLLOUT)) alive = pushDown(fd);
    if (!alive) {
        finish(fd);
        return;
    }
    uint8_t wants = session->pending != NULL || session->downLeft > 0;
    if (wants != session->wantsOut || session->ended) {
        session->wantsOut = wants;
        watch(fd, EPOLL_CTL_MOD);
    }
}

static void acceptAll(int listener) {
    for (int taken = 0; taken < 64; taken++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) usleep(10000); // wait for sessions to end rather than spin
            return;
        }
        if (fd >= descriptorsMax) {
            close(fd);
            continue;
        }
        sessions[fd] = (struct session){.phase = PHASE_HELLO, .listener = sessions[listener].listener};
        // A router connects when it has the hello, so the hello is often here already, and a short session is
        // then over without having been in the epoll set at all.
        if (!readHello(fd)) {
            finish(fd);
            continue;
        }
        sessions[fd].wantsOut = sessions[fd].pending != NULL || sessions[fd].downLeft > 0;
        watch(fd, EPOLL_CTL_ADD);
    }
}

int main(int count, char **arguments) {
    int workers = 1;
    for (int index = 1; index + 1 < count; index += 2) {
        if (strcmp(arguments[index], "--listen") == 0) listenRange = addressesParse(arguments[index + 1]);
        else if (strcmp(arguments[index], "--workers") == 0) workers = atoi(arguments[index + 1]);
        else die("unknown option %s", arguments[index]);
    }
    if (listenRange.port == 0 || workers < 1 || workers > 64) die("usage: backend --listen FIRST[-LAST]:PORT [--workers N]");
    signal(SIGPIPE, SIG_IGN);
    patternFill();
    descriptorsMax = descriptorLimit();
    forkWorkers(workers);

    sessions = calloc((size_t)descriptorsMax, sizeof *sessions);
    epollFd = epoll_create1(EPOLL_CLOEXEC);
    if (sessions == NULL || epollFd < 0) die("no memory or no epoll");
    for (uint32_t index = 0; index < listenRange.count; index++) {
        int listener = listenAt(addressesAt(&listenRange, index));
        sessions[listener] = (struct session){.phase = PHASE_LISTENER, .listener = (uint16_t)index};
        watch(listener, EPOLL_CTL_ADD);
    }
    struct epoll_event events[512];
    for (;;) {
        int ready = epoll_wait(epollFd, events, 512, -1);
        for (int index = 0; index < ready; index++) {
            int fd = events[index].data.fd;
            switch (sessions[fd].phase) {
            case PHASE_FREE: break; // closed earlier in this batch
            case PHASE_LISTENER: acceptAll(fd); break;
            case PHASE_HELLO:
            case PHASE_WORK: serve(fd, events[index].events); break;
            }
        }
    }
}
