/* Modbus TCP devices for benchmarks, so that what answers is never the limit: many ports, one thread, epoll.
 *
 *     cc -O2 -o device device.c
 *     ./device COUNT:DELAY_US[:SPREAD_US] ...
 *
 * Each group is COUNT devices that answer after DELAY_US microseconds, and up to SPREAD_US more; a delay of -1 never
 * answers, one of -2 is a port nobody listens on. The ports are printed on one line, in order; the program ends when
 * its standard input does.
 *
 * A device answers functions 1 to 4 for any unit and any addresses. Its registers, at the addresses of
 * benchmarks/devices.py: 0 its number among all; 1-2 how often it was asked before (uint32, ABCD); from 3 on fifteen
 * float32 (CDAB) around 50 that change by up to 0.5 with each request; after them 16-bit numbers that do the same.
 * Every other request than those, and a broken frame, ends the connection.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FLOATS = 15, FIRST_FLOAT = 3, LARGEST = 260, BUFFER = 4096 };

typedef struct {
    int listener;
    long delay_us, spread_us;
    unsigned number;
    uint32_t asked;
} Device;

typedef struct {
    int socket; /* -1: closed */
    unsigned generation;
    Device *device;
    int used;
    unsigned char buffer[BUFFER];
} Connection;

typedef struct {
    int64_t due_us;
    Connection *to;
    unsigned generation;
    int length;
    unsigned char frame[LARGEST];
} Reply;

static Reply **waiting; /* a heap by due_us */
static int waiting_count, waiting_room;
static uint32_t seed = 12345;

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint32_t draw(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void later(Reply *reply) {
    int place, parent;
    if (waiting_count == waiting_room) {
        waiting_room = waiting_room ? 2 * waiting_room : 1024;
        waiting = realloc(waiting, (size_t)waiting_room * sizeof *waiting);
        if (!waiting) die("memory");
    }
    for (place = waiting_count++; place > 0; place = parent) {
        parent = (place - 1) / 2;
        if (waiting[parent]->due_us <= reply->due_us) break;
        waiting[place] = waiting[parent];
    }
    waiting[place] = reply;
}

static Reply *next_reply(void) {
    Reply *first = waiting[0], *last = waiting[--waiting_count];
    int place = 0, child;
    while ((child = 2 * place + 1) < waiting_count) {
        if (child + 1 < waiting_count && waiting[child + 1]->due_us < waiting[child]->due_us) child++;
        if (last->due_us <= waiting[child]->due_us) break;
        waiting[place] = waiting[child];
        place = child;
    }
    if (waiting_count) waiting[place] = last;
    return first;
}

static void hang_up(Connection *c) {
    if (c->socket >= 0) close(c->socket);
    c->socket = -1;
    c->generation++;
}

static void send_frame(Connection *c, const unsigned char *frame, int length) {
    if (send(c->socket, frame, (size_t)length, MSG_NOSIGNAL) != length) hang_up(c);
}

static unsigned word_at(const Device *d, unsigned address, const float *floats) {
    if (address == 0) return d->number & 0xFFFF;
    if (address == 1) return d->asked >> 16;
    if (address == 2) return d->asked & 0xFFFF;
    if (address < FIRST_FLOAT + 2 * FLOATS) {
        uint32_t bits;
        memcpy(&bits, &floats[(address - FIRST_FLOAT) / 2], sizeof bits);
        return (address - FIRST_FLOAT) % 2 ? bits >> 16 : bits & 0xFFFF;
    }
    return 500 + (address * 7919u + d->asked * 31u) % 10;
}

/* Frame the reply to the request in r; return its length, or 0 when it deserves none. */
static int answer(Device *d, const unsigned char *r, unsigned char *out) {
    unsigned function = r[7], start = r[8] << 8 | r[9], count = r[10] << 8 | r[11], bytes, k;
    float floats[FLOATS];
    int is_bits = function == 1 || function == 2;
    if (function < 1 || function > 4 || count < 1 || count > (is_bits ? 2000u : 125u)) return 0;
    bytes = is_bits ? (count + 7) / 8 : 2 * count;
    memcpy(out, r, 4);
    out[4] = (unsigned char)((bytes + 3) >> 8);
    out[5] = (unsigned char)(bytes + 3);
    out[6] = r[6];
    out[7] = r[7];
    out[8] = (unsigned char)bytes;
    for (k = 0; k < FLOATS; k++) floats[k] = 50.0f + (float)(draw() % 1000) * 0.0005f;
    for (k = 0; is_bits && k < bytes; k++) out[9 + k] = 0x55;
    for (k = 0; !is_bits && k < count; k++) {
        unsigned word = word_at(d, start + k, floats);
        out[9 + 2 * k] = (unsigned char)(word >> 8);
        out[10 + 2 * k] = (unsigned char)word;
    }
    d->asked++;
    return (int)bytes + 9;
}

static void serve(Connection *c) {
    unsigned char frame[LARGEST];
    int length, place = 0;
    ssize_t got = recv(c->socket, c->buffer + c->used, (size_t)(BUFFER - c->used), 0);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        hang_up(c);
        return;
    }
    c->used += (int)got;
    for (; c->socket >= 0 && c->used - place >= 12; place += 12) {
        Device *d = c->device;
        if ((c->buffer[place + 4] << 8 | c->buffer[place + 5]) != 6) {
            hang_up(c);
            return;
        }
        if (d->delay_us == -1) continue;
        length = answer(d, c->buffer + place, frame);
        if (!length) {
            hang_up(c);
            return;
        }
        if (d->delay_us == 0) {
            send_frame(c, frame, length);
        } else {
            Reply *reply = malloc(sizeof *reply);
            if (!reply) die("memory");
            reply->due_us = now_us() + d->delay_us + (d->spread_us ? (long)draw() % d->spread_us : 0);
            reply->to = c;
            reply->generation = c->generation;
            reply->length = length;
            memcpy(reply->frame, frame, (size_t)length);
            later(reply);
        }
    }
    memmove(c->buffer, c->buffer + place, (size_t)(c->used - place));
    c->used -= place;
}

static void accept_one(int epoll, Device *d) {
    int one = 1, s = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN};
    Connection *c;
    if (s < 0) return;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c = calloc(1, sizeof *c); /* never freed: a late reply may still point to it */
    if (!c) die("memory");
    c->socket = s;
    c->device = d;
    event.data.u64 = (uint64_t)(uintptr_t)c;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, s, &event)) die("epoll_ctl");
}

static void begin(int epoll, Device *d) {
    struct sockaddr_in here = {.sin_family = AF_INET};
    socklen_t size = sizeof here;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)(uintptr_t)d | 1};
    int one = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s < 0) die("socket");
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s, (struct sockaddr *)&here, sizeof here)) die("bind");
    if (getsockname(s, (struct sockaddr *)&here, &size)) die("getsockname");
    printf("%d ", ntohs(here.sin_port));
    d->listener = s;
    if (d->delay_us == -2) return; /* bound, so that nobody else takes it, and refused */
    if (listen(s, 64)) die("listen");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, s, &event)) die("epoll_ctl");
}

int main(int argc, char **argv) {
    struct rlimit files = {65536, 65536};
    struct epoll_event events[256], end = {.events = EPOLLIN, .data.u64 = 0};
    int epoll = epoll_create1(0), k, argument;
    unsigned number = 0;
    struct rlimit allowed;
    if (!getrlimit(RLIMIT_NOFILE, &allowed)) {
        if (files.rlim_cur > allowed.rlim_max) files.rlim_cur = allowed.rlim_max;
        files.rlim_max = allowed.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (argument = 1; argument < argc; argument++) {
        long count, delay_us, spread_us = 0;
        Device *devices;
        if (sscanf(argv[argument], "%ld:%ld:%ld", &count, &delay_us, &spread_us) < 2 || count < 1) {
            fprintf(stderr, "%s: write COUNT:DELAY_US[:SPREAD_US]\n", argv[argument]);
            return 2;
        }
        devices = calloc((size_t)count, sizeof *devices);
        if (!devices) die("memory");
        for (k = 0; k < count; k++) {
            devices[k].delay_us = delay_us;
            devices[k].spread_us = spread_us;
            devices[k].number = number++;
            begin(epoll, &devices[k]);
        }
    }
    printf("\n");
    fflush(stdout);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &end)) die("epoll_ctl");
    for (;;) {
        int64_t left = waiting_count ? waiting[0]->due_us - now_us() : -1;
        struct timespec nap = {left / 1000000, left % 1000000 * 1000};
        int ready;
        if (waiting_count && left < 0) nap.tv_sec = nap.tv_nsec = 0;
        ready = epoll_pwait2(epoll, events, 256, waiting_count ? &nap : NULL, NULL);
        if (ready < 0 && errno != EINTR) die("epoll_pwait2");
        for (k = 0; k < ready; k++) {
            uint64_t what = events[k].data.u64;
            if (what == 0) return 0;
            if (what & 1) {
                accept_one(epoll, (Device *)(uintptr_t)(what & ~(uint64_t)1));
            } else {
                Connection *c = (Connection *)(uintptr_t)what;
                if (c->socket >= 0) serve(c);
            }
        }
        while (waiting_count && waiting[0]->due_us <= now_us()) {
            Reply *reply = next_reply();
            if (reply->to->socket >= 0 && reply->to->generation == reply->generation)
                send_frame(reply->to, reply->frame, reply->length);
            free(reply);
        }
    }
}
