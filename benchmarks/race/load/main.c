// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// The arguments, and the course of a pass.

#include "load.h"
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#define PENDING 64              // connections that are being made at a time

int port, mode, isTLS, isRaw, depth = 1, count = 1;
int pids[256], pidCount;
char *request;
int requestSize;
Message *messages;
int messageCount;
unsigned char *tape;
size_t *starts;
int tapeSlots;
Link *links;
int epoll, opened, pending;
uint64_t now, done, heard, readCount;
uint64_t *sentAt;
int *missing;
#ifdef WITH_TLS
SSL_CTX *tlsContext;
#endif

static double seconds = 1, warm;

static void readMessages(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail("cannot read %s", path);
  fseek(file, 0, SEEK_END);
  size_t size = ftell(file), total = 0;
  rewind(file);
  unsigned char *data = malloc(size + 1);
  if (fread(data, 1, size, file) != size) fail("cannot read %s", path);
  fclose(file);
  messages = calloc(size / 9 + 1, sizeof(Message));
  for (size_t at = 0; at < size;) {
    Message *message = &messages[messageCount++];
    memcpy(&message->wireSize, data + at, 4);
    memcpy(&message->size, data + at + 4, 4);
    message->isText = data[at + 8] & 1;
    message->isCompressed = data[at + 8] >> 1 & 1;
    message->wire = data + at + 9;
    message->payload = message->wire + message->wireSize;
    at += 9 + message->wireSize + message->size;
    total += message->wireSize;
  }
  int times = 1 + (1 << 16) / total;
  tapeSlots = messageCount * times;
  tape = malloc(total * times);
  starts = calloc(tapeSlots + 1, sizeof *starts);
  for (int i = 0; i < tapeSlots; i++) {
    Message *message = &messages[i % messageCount];
    memcpy(tape + starts[i], message->wire, message->wireSize);
    starts[i + 1] = starts[i] + message->wireSize;
  }
}

static void readRequest(const char *path) {
  FILE *file = fopen(path, "rb");
  request = malloc(4096);
  if (file == NULL) fail("cannot read %s", path);
  requestSize = fread(request, 1, 4096, file);
  fclose(file);
}

static void readArguments(int argc, char **argv) {
  static const char *modes[] = { "echo", "broadcast", "churn", "idle" };
  for (int i = 1; i < argc; i++) {
    char *name = argv[i], *value = strchr(name, '=');
    if (value == NULL) fail("not name=value: %s", name);
    *value++ = 0;
    if (!strcmp(name, "mode")) {
      for (int j = 0; j < 4; j++) if (!strcmp(value, modes[j])) mode = j;
    } else if (!strcmp(name, "port")) port = atoi(value);
    else if (!strcmp(name, "tls")) isTLS = atoi(value);
    else if (!strcmp(name, "raw")) isRaw = atoi(value);
    else if (!strcmp(name, "connections")) count = atoi(value);
    else if (!strcmp(name, "depth")) depth = atoi(value);
    else if (!strcmp(name, "warm")) warm = atof(value);
    else if (!strcmp(name, "seconds")) seconds = atof(value);
    else if (!strcmp(name, "request")) readRequest(value);
    else if (!strcmp(name, "messages")) readMessages(value);
    else if (!strcmp(name, "pids")) {
      for (char *each = strtok(value, ","); each; each = strtok(NULL, ","))
        if (pidCount < 256) pids[pidCount++] = atoi(each);
    } else fail("no such argument: %s", name);
  }
}

static void connectAll(void) {
  int begun = 0;
  while (opened < count) {
    while (begun < count && pending < PENDING) begin(&links[begun++]);
    turn();
  }
}

// Everybody has had one echo.
static void rest(void) {
  while (done < (uint64_t)count) turn();
  printf("open\n");
  fflush(stdout);
  while (getchar() != '\n' && !feof(stdin)) continue;
  printf("{\"messages\": %llu}\n", (unsigned long long)done);
}

static void runUntil(uint64_t end) {
  while (now < end) turn();
}

int main(int argc, char **argv) {
  struct rlimit limit;
  signal(SIGPIPE, SIG_IGN);
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  readArguments(argc, argv);
#ifdef WITH_TLS
  tlsContext = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(tlsContext, SSL_MODE_ENABLE_PARTIAL_WRITE |
                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(tlsContext, 1);
  SSL_CTX_set_verify(tlsContext, SSL_VERIFY_NONE, NULL);
#else
  if (isTLS) fail("this was compiled without TLS");
#endif
  links = calloc(count, sizeof *links);
  for (int i = 0; i < count; i++) {
    links[i].times = calloc(depth, sizeof(uint64_t));
    links[i].answer = malloc(4097);
  }
  sentAt = calloc(depth, sizeof *sentAt);
  missing = calloc(depth, sizeof *missing);
  epoll = epoll_create1(0);
  now = heard = clockNow();
  if (mode == CHURN) {
    for (int i = 0; i < count; i++) begin(&links[i]);
  } else {
    connectAll();
  }
  if (mode == IDLE) {
    rest();
    return 0;
  }
  for (int i = 0; mode == ECHOES && i < count; i++) {
    for (int j = 0; j < depth; j++) post(&links[i]);
    flush(&links[i]);
  }
  if (mode == BROADCAST) {
    // A server may count who is there only after it has answered.
    runUntil(clockNow() + 500000000);
    for (int j = 0; j < depth; j++) post(&links[0]);
    flush(&links[0]);
  }
  runUntil(clockNow() + warm * 1e9);
  forget();
  uint64_t before = done, readsBefore = readCount;
  Usage first = usage();
  runUntil(first.at + seconds * 1e9);
  uint64_t finished = done - before;
  Usage last = usage();
  printf("{\"messages\": %llu, \"reads\": %llu, \"seconds\": %.6f, \"cpu\": %.6f,"
         " \"waited\": %.6f, \"loadCpu\": %.6f, \"loadWaited\": %.6f,"
         " \"median\": %.3f, \"p99\": %.3f}\n",
         (unsigned long long)finished, (unsigned long long)(readCount - readsBefore),
         (last.at - first.at) / 1e9, last.server - first.server,
         last.serverWaited - first.serverWaited, last.own - first.own,
         last.ownWaited - first.ownWaited, percentile(0.5), percentile(0.99));
  return 0;
}
