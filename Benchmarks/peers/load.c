// The load generator: many TLS-shaped clients that check what comes back. See `load --help` and wire.h.
//
// Exit status: 0 when every session ended as it should, 1 when one was lost, corrupted or misrouted (with the work
// kinds that are not supposed to succeed, being closed by the router is the expected end), 2 for wrong use.

#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const workNames[] = {"short", "roundtrip", "bulk", "idle", "slowhello", "blackhole", "flood"};
static const char usage[] =
    "usage: load WORK --connect ADDRESS:PORT [options]\n"
    "work:\n"
    "  short       connect, hello, a greeting of --reply bytes (1024), orderly close by the backend\n"
    "  roundtrip   --concurrency sessions of --messages (1000) requests and answers of --size (64) bytes\n"
    "  bulk        --concurrency streams of --bytes (64M) each, --direction down|up|both\n"
    "  idle        open --concurrency sessions and hold them until SIGTERM or --seconds\n"
    "  slowhello   trickle the hello, a byte each --interval seconds (0.1); --stop-at BYTES falls silent there\n"
    "  blackhole   send the whole hello (or --stop-at BYTES of it), then nothing; --unread BYTES lets the\n"
    "              backend send that much and never reads it\n"
    "  flood       connect as fast as possible and send nothing (--stop-at BYTES of the hello)\n"
    "options:\n"
    "  --from FIRST[-LAST]         source addresses (one address has 28,000 ports)\n"
    "  --concurrency N             sessions at a time (64)\n"
    "  --count N | --seconds S     when to stop starting sessions (roundtrip, bulk, held work: one a slot)\n"
    "  --rate R                    at most R new sessions a second\n"
    "  --threads N                 (1)\n"
    "  --names N                   names site0.example ... (1); --name NAME for one other\n"
    "  --hello SIZE|FILE           517 (default), 1800 for a post-quantum one, or a recorded hello\n"
    "  --backends FIRST-LAST:PORT  name i must be answered by address i modulo their number\n"
    "  --any-backend               each name may be answered by each of them (64 at most): count which\n"
    "  --generation FILE           shared with reload-storm.py; with --movers K, every K-th name moves\n"
    "  --timeout S                 without progress for so long a session is lost (10)\n"
    "  --no-check                  bulk: count bytes without comparing them\n"
    "  --json                      report as one JSON object\n";

static volatile sig_atomic_t stopping;
static _Atomic int finishing; // no new sessions; held ones end
static uint64_t began;
static int jsonWanted;

static void onSignal(int number) {
    (void)number;
    stopping = 1;
}

// Held work, round trips and bulk run each slot once unless a count or time is given.
static int once(void) { return settings.work != WORK_SHORT; }

static void refill(struct worker *worker, unsigned threads) {
    uint64_t now = worker->now = nowNs();
    if (atomic_load(&finishing)) return;
    if (settings.seconds > 0 && !once() && now - began > (uint64_t)(settings.seconds * 1e9)) return;
    uint64_t allowed = worker->share;
    if (settings.rate > 0) {
        uint64_t due = (uint64_t)((double)(now - began) / 1e9 * settings.rate / threads) + 1;
        if (due < allowed) allowed = due;
    }
    // A bounded number a turn, so that a flood does not keep us from what is already open.
    for (int turn = 0; turn < 256 && worker->freeCount > 0 && worker->started < allowed; turn++)
        sessionStart(worker, turn % 16 ? now : (now = nowNs()));
}

static int over(struct worker *worker) {
    if (atomic_load(&finishing) && settings.work >= WORK_IDLE) return 1;
    if (worker->active > 0) return 0;
    if (worker->started >= worker->share || atomic_load(&finishing)) return 1;
    return settings.seconds > 0 && nowNs() - began > (uint64_t)(settings.seconds * 1e9);
}

static unsigned threads = 1;

static void *run(void *argument) {
    struct worker *worker = argument;
    struct epoll_event events[256];
    uint64_t tickNs = settings.interval > 0 ? 5000000u : 50000000u, ticked = 0;
    while (refill(worker, threads), !over(worker)) {
        int wait = settings.rate > 0 || settings.interval > 0 ? 2 : 50;
        int ready = epoll_wait(worker->epollFd, events, 256, wait);
        worker->now = nowNs();
        for (int index = 0; index < ready; index++) sessionEvent(worker, events[index].data.ptr, events[index].events);
        if (worker->now - ticked < tickNs) continue;
        ticked = worker->now;
        for (uint64_t slot = 0; slot < worker->slots; slot++)
            if (worker->sessions[slot].phase != PHASE_FREE) sessionTick(worker, &worker->sessions[slot], ticked);
    }
    worker->openAtEnd = worker->active;
    return NULL;
}

static void parse(int count, char **arguments) {
    enum { CONNECT = 1, FROM, CONCURRENCY, COUNT, SECONDS, RATE, THREADS, NAMES, NAME, HELLO, BACKENDS, ANY_BACKEND, GENERATION,
           MOVERS, TIMEOUT, NO_CHECK, JSON, REPLY, MESSAGES, SIZE, BYTES, DIRECTION, INTERVAL, STOP_AT, UNREAD, HELP };
    static const struct option options[] = {
        {"connect", 1, 0, CONNECT}, {"from", 1, 0, FROM}, {"concurrency", 1, 0, CONCURRENCY}, {"count", 1, 0, COUNT},
        {"seconds", 1, 0, SECONDS}, {"rate", 1, 0, RATE}, {"threads", 1, 0, THREADS}, {"names", 1, 0, NAMES},
        {"name", 1, 0, NAME}, {"hello", 1, 0, HELLO}, {"backends", 1, 0, BACKENDS}, {"any-backend", 0, 0, ANY_BACKEND},
        {"generation", 1, 0, GENERATION},
        {"movers", 1, 0, MOVERS}, {"timeout", 1, 0, TIMEOUT}, {"no-check", 0, 0, NO_CHECK}, {"json", 0, 0, JSON},
        {"reply", 1, 0, REPLY}, {"messages", 1, 0, MESSAGES}, {"size", 1, 0, SIZE}, {"bytes", 1, 0, BYTES},
        {"direction", 1, 0, DIRECTION}, {"interval", 1, 0, INTERVAL}, {"stop-at", 1, 0, STOP_AT},
        {"unread", 1, 0, UNREAD}, {"help", 0, 0, HELP}, {0}};
    const char *generationPath = NULL, *direction = "down";
    settings.work = (enum work)-1;
    if (count < 2) die("%s", usage);
    for (unsigned index = 0; index < sizeof workNames / sizeof *workNames; index++)
        if (strcmp(arguments[1], workNames[index]) == 0) settings.work = (enum work)index;
    if (strcmp(arguments[1], "--help") == 0) {
        fputs(usage, stdout);
        exit(0);
    }
    if (settings.work == (enum work)-1) die("unknown work %s\n%s", arguments[1], usage);
    settings.concurrency = 64, settings.names = 1, settings.messages = 1000, settings.messageSize = 64;
    settings.amount = 64u << 20, settings.greetingSize = settings.work == WORK_SHORT ? 1024 : 512;
    settings.check = 1, settings.timeout = 10, settings.helloSize = 517, settings.movers = 1;
    settings.stopAt = settings.work == WORK_FLOOD ? 0 : -1;
    settings.interval = settings.work == WORK_SLOWHELLO ? 0.1 : 0;
    int option;
    while ((option = getopt_long(count - 1, arguments + 1, "", options, NULL)) != -1) {
        switch (option) {
        case CONNECT: settings.connect = addressesParse(optarg); break;
        case FROM: settings.from = addressesParse(optarg), settings.fromGiven = 1; break;
        case CONCURRENCY: settings.concurrency = amountParse(optarg); break;
        case COUNT: settings.count = amountParse(optarg); break;
        case SECONDS: settings.seconds = atof(optarg); break;
        case RATE: settings.rate = atof(optarg); break;
        case THREADS: threads = (unsigned)amountParse(optarg); break;
        case NAMES: settings.names = amountParse(optarg); break;
        case NAME: settings.name = optarg; break;
        case HELLO: {
            if (strspn(optarg, "0123456789") == strlen(optarg)) {
                settings.helloSize = (size_t)amountParse(optarg);
                if (settings.helloSize > 16000) die("a synthesised hello has at most 16000 bytes");
                break;
            }
            FILE *file = fopen(optarg, "rb");
            size_t size = file ? fread(settings.recorded, 1, sizeof settings.recorded, file) : 0;
            if (helloFind(settings.recorded, size, &settings.recordedLayout) != 1)
                die("%s: not a ClientHello with a name in one TLS record", optarg);
            fclose(file);
            settings.helloSize = 0;
            break;
        }
        case BACKENDS: settings.backends = addressesParse(optarg), settings.backendsGiven = 1; break;
        case ANY_BACKEND: settings.anyBackend = 1; break;
        case GENERATION: generationPath = optarg; break;
        case MOVERS: settings.movers = amountParse(optarg); break;
        case TIMEOUT: settings.timeout = atof(optarg); break;
        case NO_CHECK: settings.check = 0; break;
        case JSON: jsonWanted = 1; break;
        case REPLY: settings.greetingSize = amountParse(optarg); break;
        case MESSAGES: settings.messages = amountParse(optarg); break;
        case SIZE: settings.messageSize = amountParse(optarg); break;
        case BYTES: settings.amount = amountParse(optarg); break;
        case DIRECTION: direction = optarg; break;
        case INTERVAL: settings.interval = atof(optarg); break;
        case STOP_AT: settings.stopAt = (long)amountParse(optarg); break;
        case UNREAD: settings.unread = amountParse(optarg); break;
        case HELP: fputs(usage, stdout); exit(0);
        default: die("%s", usage);
        }
    }
    settings.down = strcmp(direction, "up") != 0;
    settings.up = strcmp(direction, "down") != 0;
    if (settings.connect.port == 0) die("--connect ADDRESS:PORT is needed");
    if (settings.backendsGiven && settings.backends.port == 0) die("--backends needs a port");
    if (settings.anyBackend && (!settings.backendsGiven || settings.backends.count > LANDINGS_MAX))
        die("--any-backend needs --backends, %d at most", LANDINGS_MAX);
    if (threads < 1 || threads > 64 || settings.concurrency < threads) die("impossible --threads or --concurrency");
    if (settings.names < 1 || settings.movers < 1 || settings.messages < 1) die("--names, --movers, --messages: at least 1");
    if (settings.messageSize < 1 || settings.messageSize > 4096) die("--size: 1 to 4096");
    if (settings.greetingSize < sizeof(struct greeting) || settings.greetingSize > 65536) die("--reply: 280 to 65536");
    if (settings.concurrency + 64 > (uint64_t)descriptorLimit()) die("--concurrency is beyond the descriptor limit");
    if (settings.work == WORK_SHORT && settings.count == 0 && settings.seconds <= 0) die("--count or --seconds is needed");
    if (generationPath != NULL) {
        int file = open(generationPath, O_RDONLY);
        void *mapped = mmap(NULL, 16, PROT_READ, MAP_SHARED, file, 0);
        if (file < 0 || mapped == MAP_FAILED) die("%s: %s", generationPath, strerror(errno));
        settings.generation = mapped;
    }
}

static struct worker *makeWorker(unsigned index) {
    struct worker *worker = calloc(1, sizeof *worker);
    uint64_t slots = settings.concurrency / threads + (index < settings.concurrency % threads);
    uint64_t total = settings.count ? settings.count : once() ? settings.concurrency : UINT64_MAX;
    if (worker == NULL) die("no memory");
    worker->index = (int)index;
    worker->random = 0x9e3779b97f4a7c15u * (index + 1) ^ (uint64_t)getpid() << 32 ^ began;
    worker->slots = slots;
    worker->share = total == UINT64_MAX ? total : total / threads + (index < total % threads);
    worker->sessions = calloc(slots, sizeof *worker->sessions);
    worker->freeSlots = calloc(slots, sizeof *worker->freeSlots);
    worker->epollFd = epoll_create1(EPOLL_CLOEXEC);
    if (worker->sessions == NULL || worker->freeSlots == NULL || worker->epollFd < 0) die("no memory or no epoll");
    for (uint64_t slot = 0; slot < slots; slot++) worker->freeSlots[worker->freeCount++] = (uint32_t)(slots - 1 - slot);
    return worker;
}

static int report(struct worker **workers) {
    static struct histogram latency;
    uint64_t outcomes[OUTCOMES] = {0}, first = UINT64_MAX, last = 0, down = 0, up = 0, messages = 0, open = 0, started = 0;
    uint64_t window = 0, lost = 0, lostStart = 0, landed[LANDINGS_MAX] = {0};
    for (unsigned index = 0; index < threads; index++) {
        struct worker *worker = workers[index];
        histogramMerge(&latency, &worker->latency);
        for (int outcome = 0; outcome < OUTCOMES; outcome++) outcomes[outcome] += worker->outcomes[outcome];
        if (worker->started && worker->firstStart < first) first = worker->firstStart;
        if (worker->lastFinish > last) last = worker->lastFinish;
        down += worker->bytesDown, up += worker->bytesUp, messages += worker->messages;
        open += worker->openAtEnd, started += worker->started;
        if (worker->windowMax > window) window = worker->windowMax;
        if (worker->lostStart > lostStart) lostStart = worker->lostStart;
        for (int place = 0; place < LANDINGS_MAX; place++) landed[place] += worker->landed[place];
    }
    for (int outcome = OUTCOME_REFUSED; outcome <= OUTCOME_TIMEOUT; outcome++) lost += outcomes[outcome];
    double elapsed = last > first ? (double)(last - first) / 1e9 : 0;
    double units = settings.work == WORK_ROUNDTRIP ? (double)messages : (double)outcomes[OUTCOME_OK];
    if (jsonWanted) {
        printf("{\"work\": \"%s\", \"elapsed_s\": %.6f, \"started\": %llu, \"open\": %llu, \"lost\": %llu", workNames[settings.work],
               elapsed, (unsigned long long)started, (unsigned long long)open, (unsigned long long)lost);
        for (int outcome = 0; outcome < OUTCOMES; outcome++)
            printf(", \"%s\": %llu", outcomeNames[outcome], (unsigned long long)outcomes[outcome]);
        printf(", \"messages\": %llu, \"bytes_down\": %llu, \"bytes_up\": %llu, \"rate\": %.1f, \"generations_max\": %llu",
               (unsigned long long)messages, (unsigned long long)down, (unsigned long long)up,
               elapsed > 0 ? units / elapsed : 0, (unsigned long long)window);
        // On the clock that Python calls monotonic, so that a script can tell what it had done by then.
        printf(", \"lost_start_ns\": %llu, \"landed\": [", (unsigned long long)lostStart);
        for (unsigned index = 0; settings.anyBackend && index < settings.backends.count; index++)
            printf("%s%llu", index ? ", " : "", (unsigned long long)landed[index]);
        printf("], \"latency_us\": {\"p50\": %.0f, \"p99\": %.0f, \"p99.9\": %.0f, \"max\": %.0f}}\n", histogramAt(&latency, 0.5),
               histogramAt(&latency, 0.99), histogramAt(&latency, 0.999), (double)latency.max / 1000);
    } else {
        printf("%s: %llu started in %.3f s, %llu lost, %llu open\n ", workNames[settings.work], (unsigned long long)started,
               elapsed, (unsigned long long)lost, (unsigned long long)open);
        for (int outcome = 0; outcome < OUTCOMES; outcome++)
            if (outcomes[outcome]) printf(" %llu %s", (unsigned long long)outcomes[outcome], outcomeNames[outcome]);
        printf("\n  %.0f/s, %llu messages, %llu bytes down, %llu up\n", elapsed > 0 ? units / elapsed : 0,
               (unsigned long long)messages, (unsigned long long)down, (unsigned long long)up);
        printf("  p50 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us\n", histogramAt(&latency, 0.5),
               histogramAt(&latency, 0.99), histogramAt(&latency, 0.999), (double)latency.max / 1000);
    }
    return lost + outcomes[OUTCOME_CORRUPT] + outcomes[OUTCOME_MISROUTED] + outcomes[OUTCOME_STALE] > 0;
}

int main(int count, char **arguments) {
    parse(count, arguments);
    patternFill();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, onSignal);
    signal(SIGTERM, onSignal);
    began = nowNs();
    struct worker *workers[64];
    pthread_t handles[64];
    for (unsigned index = 0; index < threads; index++) {
        workers[index] = makeWorker(index);
        if (pthread_create(&handles[index], NULL, run, workers[index]) != 0) die("no thread");
    }
    int announced = 0;
    for (;;) {
        uint64_t held = 0, finished = 0, expected = 0;
        for (unsigned index = 0; index < threads; index++) {
            held += atomic_load(&workers[index]->held);
            finished += atomic_load(&workers[index]->finished);
            expected += workers[index]->share;
        }
        if (finished >= expected) break;
        // A script which measures held sessions waits for this line.
        if (!announced && settings.work >= WORK_IDLE && held + finished >= expected) {
            printf("{\"ready\": %llu}\n", (unsigned long long)held);
            fflush(stdout);
            announced = 1;
        }
        int timeUp = settings.seconds > 0 && nowNs() - began > (uint64_t)(settings.seconds * 1e9);
        if (stopping || timeUp) break;
        usleep(2000);
    }
    if (stopping || settings.work >= WORK_IDLE) atomic_store(&finishing, 1);
    for (unsigned index = 0; index < threads; index++) pthread_join(handles[index], NULL);
    return report(workers);
}
