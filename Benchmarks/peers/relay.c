// A plain C relay: what one gets out of this machine when nothing but the relaying is done. It reads the name in
// the hello, looks it up, connects, forwards both ways, passes half-closes and resets on, and moves bulk with
// splice(2). It has no limits, no time-outs, no log and no answer for a hostile client: it is a measure for the
// benchmarks, and not fit for the Internet.
//
// relay --listen 127.0.0.1:8443 --routes FILE [--workers N]
// FILE: "NAME ADDRESS:PORT" a line. SIGHUP reads it again (with one worker; others are processes of their own).

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support.h"
#include "wire.h"

enum { COPY_BYTES = 65536, PIPE_BYTES = 1 << 20, POOLED_PIPES_MAX = 64, TURNS_MAX = 8 };

// Bytes on their way from fd[i] to fd[1 - i] of a pair, where i is the direction's index.
struct direction {
    uint8_t readable;  // edge-triggered: true until a read said otherwise
    uint8_t ending;    // the peer's FIN was announced: read on until the end of stream
    uint8_t ended;     // the end of stream was read
    uint8_t passedOn;  // and is known to the other side
    uint8_t wantsOut;  // EPOLLOUT is armed on the receiving side
    uint8_t fullReads; // large reads in a row: reason to splice
    uint8_t smallReads;
    int pipe[2];       // -1 unless spliced
    size_t inPipe;
    uint8_t *kept;     // what a send did not take; allocated, since it is rare
    size_t keptSize, keptSent;
};

struct pair {
    int fd[2]; // client, backend
    uint8_t dead;
    struct direction way[2];
    struct pair *next; // free list, or this batch's dead
};

struct route {
    char *name;
    struct sockaddr_in backend;
};

static struct addresses listenRange;
static const char *routesPath;
static struct route *routes; // open addressing, a power of two
static size_t routesMask;
static volatile sig_atomic_t reloadWanted;

static int epollFd;
static struct pair *freePairs, *deadPairs;
static int pooledPipes[POOLED_PIPES_MAX][2];
static int pooledPipesCount;
static uint8_t buffer[COPY_BYTES];

static size_t hashName(const void *name, size_t size) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t index = 0; index < size; index++) hash = (hash ^ ((const uint8_t *)name)[index]) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 29);
}

static void loadRoutes(void) {
    FILE *file = fopen(routesPath, "r");
    if (file == NULL) die("%s: %s", routesPath, strerror(errno));
    size_t lines = 0, entries = 0;
    char line[512];
    while (fgets(line, sizeof line, file)) lines++;
    size_t size = 16;
    while (size < lines * 2) size *= 2;
    struct route *built = calloc(size, sizeof *built), *old = routes;
    size_t oldSize = routes ? routesMask + 1 : 0;
    if (built == NULL) die("no memory for %zu routes", lines);
    rewind(file);
    while (fgets(line, sizeof line, file)) {
        char name[256], host[64];
        unsigned port;
        if (sscanf(line, "%255s %63[0-9.]:%u", name, host, &port) != 3 || name[0] == '#') continue;
        size_t slot = hashName(name, strlen(name)) & (size - 1);
        while (built[slot].name) slot = (slot + 1) & (size - 1);
        built[slot].name = strdup(name);
        built[slot].backend = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        if (inet_pton(AF_INET, host, &built[slot].backend.sin_addr) != 1) die("%s: not an address: %s", routesPath, host);
        entries++;
    }
    fclose(file);
    routes = built;
    routesMask = size - 1;
    for (size_t slot = 0; slot < oldSize; slot++) free(old[slot].name);
    free(old);
    fprintf(stderr, "%s: %zu routes\n", old ? "reloaded" : "loaded", entries);
}

static const struct route *findRoute(const uint8_t *name, size_t size) {
    for (size_t slot = hashName(name, size) & routesMask; routes[slot].name; slot = (slot + 1) & routesMask)
        if (strlen(routes[slot].name) == size && memcmp(routes[slot].name, name, size) == 0) return &routes[slot];
    return NULL;
}

// The pair's address is even, so its lowest bit can say which side an event is for.
static void watch(struct pair *pair, int side, int operation) {
    uint32_t out = pair->way[1 - side].wantsOut ? (uint32_t)EPOLLOUT : 0u;
    struct epoll_event event = {.events = (uint32_t)(EPOLLIN | EPOLLRDHUP | EPOLLET) | out,
                                .data.u64 = (uint64_t)(uintptr_t)pair | (uint64_t)side};
    epoll_ctl(epollFd, operation, pair->fd[side], &event);
}

static void givePipe(struct direction *way) {
    if (way->pipe[0] < 0) return;
    if (way->inPipe == 0 && pooledPipesCount < POOLED_PIPES_MAX) {
        memcpy(pooledPipes[pooledPipesCount++], way->pipe, sizeof way->pipe);
    } else {
        close(way->pipe[0]);
        close(way->pipe[1]);
    }
    way->pipe[0] = way->pipe[1] = -1;
    way->inPipe = 0;
}

static void takePipe(struct direction *way) {
    if (pooledPipesCount > 0) {
        memcpy(way->pipe, pooledPipes[--pooledPipesCount], sizeof way->pipe);
    } else if (pipe2(way->pipe, O_NONBLOCK | O_CLOEXEC) == 0) {
        fcntl(way->pipe[1], F_SETPIPE_SZ, PIPE_BYTES); // smaller when the user's share is used up: still right
    } else {
        way->pipe[0] = way->pipe[1] = -1; // no descriptors left: copying works too
    }
}

static void finish(struct pair *pair, int reset) {
    if (pair->dead) return;
    pair->dead = 1;
    for (int side = 0; side < 2; side++) {
        struct linger hard = {.l_onoff = 1, .l_linger = 0};
        if (reset) setsockopt(pair->fd[side], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        if (pair->fd[side] >= 0) close(pair->fd[side]);
        givePipe(&pair->way[side]);
        free(pair->way[side].kept);
    }
    // Events for it may still be in this batch, so the memory is reused after the batch only.
    pair->next = deadPairs;
    deadPairs = pair;
}

static void wantOut(struct pair *pair, int index) {
    if (pair->way[index].wantsOut) return;
    pair->way[index].wantsOut = 1;
    watch(pair, 1 - index, EPOLL_CTL_MOD);
}

static int keep(struct direction *way, const uint8_t *bytes, size_t size) {
    way->kept = malloc(size);
    if (way->kept == NULL) return 0;
    memcpy(way->kept, bytes, size);
    way->keptSize = size;
    way->keptSent = 0;
    return 1;
}

enum step { STEP_MORE, STEP_WAIT, STEP_FAIL };

static enum step sendKept(struct pair *pair, int index) {
    struct direction *way = &pair->way[index];
    ssize_t sent = send(pair->fd[1 - index], way->kept + way->keptSent, way->keptSize - way->keptSent, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != ENOTCONN) return STEP_FAIL;
        wantOut(pair, index);
        return STEP_WAIT;
    }
    way->keptSent += (size_t)sent;
    if (way->keptSent < way->keptSize) return STEP_MORE;
    free(way->kept);
    way->kept = NULL;
    return STEP_MORE;
}

static enum step copyStep(struct pair *pair, int index) {
    struct direction *way = &pair->way[index];
    if (!way->readable) return STEP_WAIT;
    ssize_t got = recv(pair->fd[index], buffer, sizeof buffer, 0);
    if (got < 0) {
        way->readable = 0;
        return errno == EAGAIN ? STEP_WAIT : STEP_FAIL;
    }
    if (got == 0) {
        way->ended = 1;
        return STEP_MORE;
    }
    // A read that did not fill the buffer emptied the socket: what comes later makes a new edge. Unless the FIN
    // was announced already, for which no further edge comes.
    if ((size_t)got < sizeof buffer && !way->ending) way->readable = 0;
    way->fullReads = (size_t)got == sizeof buffer ? way->fullReads + 1 : 0;
    if (way->fullReads == 2) {
        way->fullReads = way->smallReads = 0;
        takePipe(way);
    }
    ssize_t sent = send(pair->fd[1 - index], buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return STEP_FAIL;
    if (sent < 0) sent = 0;
    if (sent == got) return STEP_MORE;
    if (!keep(way, buffer + sent, (size_t)(got - sent))) return STEP_FAIL;
    wantOut(pair, index);
    return STEP_WAIT;
}

static enum step spliceStep(struct pair *pair, int index) {
    struct direction *way = &pair->way[index];
    if (way->inPipe == 0) {
        if (!way->readable) return STEP_WAIT;
        ssize_t got = splice(pair->fd[index], NULL, way->pipe[1], NULL, PIPE_BYTES, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (got < 0 && errno != EAGAIN) return STEP_FAIL;
        if (got < 0) { // the pipe is empty, so this can only mean that the socket is
            way->readable = 0;
            return STEP_WAIT;
        }
        if (got == 0) {
            way->ended = 1;
            return STEP_MORE;
        }
        way->inPipe = (size_t)got;
        way->smallReads = got < COPY_BYTES / 8 ? way->smallReads + 1 : 0;
    }
    ssize_t sent = splice(way->pipe[0], NULL, pair->fd[1 - index], NULL, way->inPipe, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (sent < 0 && errno != EAGAIN) return STEP_FAIL;
    if (sent < 0) {
        wantOut(pair, index);
        return STEP_WAIT;
    }
    way->inPipe -= (size_t)sent;
    if (way->inPipe == 0 && way->smallReads >= 8) givePipe(way); // calmed down
    return STEP_MORE;
}

// Moves bytes one way until it has to wait, but not for ever: a bulky pair yields after some turns by asking epoll
// for its readiness again (EPOLL_CTL_MOD makes a new edge when there is something).
static void pump(struct pair *pair, int index) {
    struct direction *way = &pair->way[index];
    for (int turn = 0; !pair->dead && !way->passedOn; turn++) {
        if (way->ended && way->kept == NULL && way->inPipe == 0) {
            way->passedOn = 1;
            if (pair->way[1 - index].passedOn) finish(pair, 0);
            else shutdown(pair->fd[1 - index], SHUT_WR);
            return;
        }
        if (turn == TURNS_MAX) {
            if (way->kept != NULL || way->inPipe > 0) way->wantsOut = 1; // or nothing might bring us back
            watch(pair, index, EPOLL_CTL_MOD);
            watch(pair, 1 - index, EPOLL_CTL_MOD);
            return;
        }
        enum step step = way->kept           ? sendKept(pair, index)
                         : way->pipe[0] >= 0 ? spliceStep(pair, index)
                                             : copyStep(pair, index);
        if (step == STEP_FAIL) finish(pair, 1);
        if (step == STEP_WAIT) return;
    }
}

// Reads the hello (left in the socket until it is whole) and connects. False when it is no use.
static int begin(struct pair *pair) {
    struct hello hello;
    ssize_t got = recv(pair->fd[0], buffer, sizeof buffer, MSG_PEEK);
    if (got < 0) return errno == EAGAIN;
    int answer = got == 0 ? -1 : helloFind(buffer, (size_t)got, &hello);
    if (answer <= 0) return answer == 0;
    const struct route *route = findRoute(buffer + hello.name, hello.nameSize);
    if (route == NULL) return 0;
    int yes = 1, backend = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (backend < 0) return 0;
    pair->fd[1] = backend;
    setsockopt(backend, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(backend, (const struct sockaddr *)&route->backend, sizeof route->backend) < 0 && errno != EINPROGRESS)
        return 0;
    // On loopback the connection is usually up by now, so sending at once saves a turn. The hello was only peeked
    // at: the ordinary way forwards it, and waits when it is too early.
    watch(pair, 1, EPOLL_CTL_ADD);
    ssize_t taken = recv(pair->fd[0], buffer, (size_t)got, 0);
    ssize_t sent = send(backend, buffer, (size_t)taken, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent < 0) sent = 0;
    if (sent < taken) {
        if (!keep(&pair->way[0], buffer + sent, (size_t)(taken - sent))) return 0;
        wantOut(pair, 0);
    }
    return 1;
}

static void acceptAll(int listener) {
    for (int taken = 0; taken < 64; taken++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) usleep(10000);
            return;
        }
        struct pair *pair = freePairs;
        if (pair != NULL) freePairs = pair->next;
        else if ((pair = malloc(sizeof *pair)) == NULL) die("no memory");
        *pair = (struct pair){.fd = {fd, -1}};
        for (int index = 0; index < 2; index++) pair->way[index].pipe[0] = pair->way[index].pipe[1] = -1;
        watch(pair, 0, EPOLL_CTL_ADD);
        if (!begin(pair)) finish(pair, 0);
    }
}

static void serve(struct pair *pair, int side, uint32_t events) {
    if (pair->dead) return;
    if (pair->fd[1] < 0) { // still waiting for the hello
        if ((events & EPOLLERR) || !begin(pair)) {
            finish(pair, 0);
            return;
        }
        if (pair->fd[1] < 0) {
            // Half a hello and then the end: no further edge would come.
            if (events & (EPOLLRDHUP | EPOLLHUP)) finish(pair, 0);
            return;
        }
    }
    if (events & EPOLLERR) {
        finish(pair, 1);
        return;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP)) pair->way[side].ending = pair->way[side].readable = 1;
    if (events & EPOLLIN) pair->way[side].readable = 1;
    pump(pair, side);
    if ((events & EPOLLOUT) && !pair->dead) pump(pair, 1 - side);
}

static void onHangup(int signal) {
    (void)signal;
    reloadWanted = 1;
}

int main(int count, char **arguments) {
    int workers = 1;
    for (int index = 1; index + 1 < count; index += 2) {
        if (strcmp(arguments[index], "--listen") == 0) listenRange = addressesParse(arguments[index + 1]);
        else if (strcmp(arguments[index], "--routes") == 0) routesPath = arguments[index + 1];
        else if (strcmp(arguments[index], "--workers") == 0) workers = atoi(arguments[index + 1]);
        else die("unknown option %s", arguments[index]);
    }
    if (listenRange.port == 0 || routesPath == NULL || workers < 1 || workers > 64)
        die("usage: relay --listen ADDRESS:PORT --routes FILE [--workers N]");
    struct sigaction action = {.sa_handler = onHangup};
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    descriptorLimit();
    loadRoutes();
    forkWorkers(workers);

    epollFd = epoll_create1(EPOLL_CLOEXEC);
    int listener = listenAt(addressesAt(&listenRange, 0));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0};
    epoll_ctl(epollFd, EPOLL_CTL_ADD, listener, &event);
    struct epoll_event events[256];
    for (;;) {
        int ready = epoll_wait(epollFd, events, 256, -1);
        if (reloadWanted) {
            reloadWanted = 0;
            loadRoutes();
        }
        for (int index = 0; index < ready; index++) {
            uint64_t data = events[index].data.u64;
            if (data == 0) acceptAll(listener);
            else serve((struct pair *)(uintptr_t)(data & ~(uint64_t)1), (int)(data & 1), events[index].events);
        }
        while (deadPairs != NULL) {
            struct pair *pair = deadPairs;
            deadPairs = pair->next;
            pair->next = freePairs;
            freePairs = pair;
        }
    }
}
