// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// Connections: how they are made, read from, written to, and how they end.

#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ADDRESSES 50            // source addresses, for there are ports for so many
#define PATIENCE 10             // seconds without a byte until a pass has failed

static unsigned char buffer[1 << 18];
static int made;

static void watch(Link *link, int wantsOut) {
  if (link->wantsOut == wantsOut) return;
  struct epoll_event event = { EPOLLIN | (wantsOut ? EPOLLOUT : 0), { .ptr = link } };
  epoll_ctl(epoll, EPOLL_CTL_MOD, link->fd, &event);
  link->wantsOut = wantsOut;
}

// How many bytes were taken; 0 if none can be now.
static size_t give(Link *link, const void *data, size_t size) {
#ifdef WITH_TLS
  if (link->tls) {
    ERR_clear_error();
    int taken = SSL_write(link->tls, data, size > 1 << 20 ? 1 << 20 : size);
    if (taken > 0) return taken;
    int error = SSL_get_error(link->tls, taken);
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) return 0;
    fail("TLS error %d while writing", error);
  }
#endif
  ssize_t taken = send(link->fd, data, size, MSG_NOSIGNAL);
  if (taken >= 0) return taken;
  if (errno == EAGAIN) return 0;
  fail("writing: %s", strerror(errno));
  return 0;
}

// How many bytes came; -1 if none are there, 0 at the end.
static ssize_t take(Link *link) {
#ifdef WITH_TLS
  if (link->tls) {
    ERR_clear_error();
    int size = SSL_read(link->tls, buffer, sizeof buffer);
    if (size > 0) return size;
    int error = SSL_get_error(link->tls, size);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return -1;
    return 0;
  }
#endif
  ssize_t size = recv(link->fd, buffer, sizeof buffer, 0);
  return size >= 0 ? size : errno == EAGAIN ? -1 : 0;
}

// Send what is there to be sent, as far as it goes.
void flush(Link *link) {
  while (link->state == ASKING && link->requestAt < requestSize) {
    size_t taken = give(link, request + link->requestAt,
                        requestSize - link->requestAt);
    if (!taken) break;
    link->requestAt += taken;
  }
  int isBlocked = link->state == ASKING && link->requestAt < requestSize;
  while (link->state >= OPEN && !isBlocked) {
    int isBetween = link->at == starts[link->slot];
#ifdef WITH_TLS
    isBetween = isBetween && !link->refused;
#endif
    if (link->urgentSize && isBetween) {
      size_t taken = give(link, link->urgent + link->urgentAt,
                          link->urgentSize - link->urgentAt);
      isBlocked = !taken;
      link->urgentAt += taken;
      if (link->urgentAt == link->urgentSize) link->urgentSize = link->urgentAt = 0;
      continue;
    }
    if (!link->owed) break;
    uint64_t rest = tapeSlots - link->slot;
    int last = link->slot + (link->owed < rest ? link->owed : rest);
    if (link->urgentSize) last = link->slot + 1;
    size_t size = starts[last] - link->at;
#ifdef WITH_TLS
    if (link->refused) size = link->refused;
#endif
    size_t taken = give(link, tape + link->at, size);
    isBlocked = !taken;
#ifdef WITH_TLS
    link->refused = isTLS && isBlocked ? size : 0;
#endif
    link->at += taken;
    while (link->slot < tapeSlots && link->at >= starts[link->slot + 1]) {
      link->slot++;
      link->owed--;
      if (link->slot == tapeSlots) link->slot = link->at = 0;
    }
  }
  watch(link, isBlocked);
}

static void isOpen(Link *link) {
  link->state = OPEN;
  opened++;
  pending--;
  if (mode == IDLE) {
    post(link);
  } else if (mode == CHURN && isRaw) {
    post(link);
  } else if (mode == CHURN) {
    link->state = CLOSING;
    urgent(link, 8, "\x03\xe8", 2);
  }
}

static void answered(Link *link, const unsigned char *data, size_t size) {
  if (link->answerSize + size > 4096) fail("the answer is too long");
  memcpy(link->answer + link->answerSize, data, size);
  link->answerSize += size;
  char *end = memmem(link->answer, link->answerSize, "\r\n\r\n", 4);
  if (end == NULL) return;
  if (memcmp(link->answer, "HTTP/1.1 101", 12))
    fail("the answer was %.12s", link->answer);
  isOpen(link);
  char *rest = end + 4;
  framesCame(link, (unsigned char *)rest, link->answer + link->answerSize - rest);
}

static void came(Link *link, const unsigned char *data, size_t size) {
  heard = now;
  if (link->state == ASKING) answered(link, data, size);
  else if (isRaw) rawCame(link, data, size);
  else framesCame(link, data, size);
}

void begin(Link *link) {
  int one = 1;
  // Those of a life before stay: its place for times and for the answer.
  Link fresh = { .times = link->times, .answer = link->answer };
  *link = fresh;
  link->begun = now;
  link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (link->fd < 0) fail("socket: %s", strerror(errno));
  setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(link->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  struct sockaddr_in address = { .sin_family = AF_INET };
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + made++ % ADDRESSES);
  if (bind(link->fd, (struct sockaddr *)&address, sizeof address))
    fail("bind: %s", strerror(errno));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(link->fd, (struct sockaddr *)&address, sizeof address) &&
      errno != EINPROGRESS)
    fail("connect: %s", strerror(errno));
  link->state = CONNECTING;
  link->wantsOut = 1;
  pending++;
  struct epoll_event event = { EPOLLIN | EPOLLOUT, { .ptr = link } };
  epoll_ctl(epoll, EPOLL_CTL_ADD, link->fd, &event);
}

static void drop(Link *link) {
#ifdef WITH_TLS
  if (link->tls) SSL_free(link->tls);
  link->tls = NULL;
#endif
  close(link->fd);
  link->state = NONE;
}

static void connected(Link *link) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) fail("connect: %s", strerror(error));
  link->state = SECURING;
#ifdef WITH_TLS
  if (isTLS) {
    link->tls = SSL_new(tlsContext);
    SSL_set_fd(link->tls, link->fd);
    SSL_set_connect_state(link->tls);
  }
#endif
}

static void secured(Link *link) {
#ifdef WITH_TLS
  if (link->tls) {
    ERR_clear_error();
    int result = SSL_do_handshake(link->tls);
    if (result != 1) {
      int error = SSL_get_error(link->tls, result);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        fail("TLS error %d while connecting", error);
      watch(link, error == SSL_ERROR_WANT_WRITE);
      return;
    }
  }
#endif
  if (isRaw) isOpen(link);
  else link->state = ASKING;
}

// A connection has come to its end.
static void ended(Link *link) {
  if (mode != CHURN) fail("the server dropped a connection");
  if (!isRaw && !link->isClosed)
    fail("the server dropped a connection without a Close frame");
  if (isRaw && !link->got) fail("the server dropped a connection");
  note(now - link->begun);
  if (!isRaw) done++;
  opened--;
  drop(link);
  begin(link);
}

// Whether to read on: over TLS there may be more, of which epoll does not know.
static int hasMore(Link *link, ssize_t size) {
#ifdef WITH_TLS
  if (link->tls) return SSL_has_pending(link->tls);
#else
  (void)link;
#endif
  return size == (ssize_t)sizeof buffer;
}

static void happened(Link *link) {
  if (link->state == CONNECTING) connected(link);
  if (link->state == SECURING) secured(link);
  if (link->state < ASKING) return;
  for (;;) {
    ssize_t size = take(link);
    if (size < 0) break;
    readCount++;
    if (size == 0) {
      heard = now;
      ended(link);
      return;
    }
    came(link, buffer, size);
    if (mode == CHURN && isRaw && link->got) {
      ended(link);
      return;
    }
    if (!hasMore(link, size)) break;
  }
  flush(link);
}

void turn(void) {
  static struct epoll_event events[512];
  int ready = epoll_wait(epoll, events, 512, 100);
  now = clockNow();
  for (int i = 0; i < ready; i++) happened(events[i].data.ptr);
  if (now > heard + PATIENCE * 1000000000ull)
    fail("nothing came for %d seconds", PATIENCE);
}
