// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// The load of benchmarks.race: so many connections, each with so many messages in
// flight, from one thread on epoll.  loading.py compiles and runs it, and says what the
// arguments are; slow.py does the same in Python.
//
// Messages come from a file, masked already, so that nothing but sending, counting and
// comparing is left to do here.  A pass ends with one line of JSON on stdout.

#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
extern SSL_CTX *tlsContext;
#endif

enum { ECHOES, BROADCAST, CHURN, IDLE };
enum { NONE, CONNECTING, SECURING, ASKING, OPEN, CLOSING };

typedef struct {
  const unsigned char *wire, *payload;
  uint32_t wireSize, size;
  int isText, isCompressed;
} Message;

typedef struct {
  int fd, state, wantsOut;
#ifdef WITH_TLS
  SSL *tls;
  size_t refused;               // bytes of the write that TLS wants to see again
#endif
  uint64_t begun, sent, got;    // sent: given to be sent; got: received whole
  uint64_t owed;                // of those sent, not yet with the kernel
  size_t at;                    // how far into the tape
  int slot;                     // which message of the tape that is in
  unsigned char urgent[140];    // a control frame
  int urgentSize, urgentAt;
  unsigned char header[10];     // of the frame that is being received
  int headerSize, isHeaded, opcode, isFinal, isInside, isClosed;
  uint64_t left, had;           // bytes of the frame to come; of the message so far
  unsigned char control[125];
  int controlSize;
  char *answer;
  int answerSize, requestAt;
  uint64_t *times;              // when each in flight was sent
} Link;

typedef struct {
  uint64_t at;
  double server, serverWaited, own, ownWaited;
} Usage;

// What was asked for
extern int port, mode, isTLS, isRaw, depth, count;
extern int pids[256], pidCount;
extern char *request;
extern int requestSize;
extern Message *messages;
extern int messageCount;

// All messages, over and over: so that many go out in one write.
extern unsigned char *tape;
extern size_t *starts;
extern int tapeSlots;

extern Link *links;
extern int epoll, opened, pending;
extern uint64_t now, done, heard, readCount;
extern uint64_t *sentAt;        // broadcasts: when each in flight was sent
extern int *missing;            // and how many have not got it

// measures.c
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *why, ...);
uint64_t clockNow(void);
void note(uint64_t nanoseconds);
void forget(void);
double percentile(double part);
Usage usage(void);

// frames.c
void post(Link *link);
void urgent(Link *link, int opcode, const void *data, int size);
void framesCame(Link *link, const unsigned char *data, size_t size);
void rawCame(Link *link, const unsigned char *data, size_t size);

// links.c
void begin(Link *link);
void flush(Link *link);
void turn(void);
