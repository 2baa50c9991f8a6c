// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// Messages: which are to be sent, and whether those that come are the ones expected.

#include "load.h"

#define COMPARED 65536          // bytes of a message that are looked at

void post(Link *link) {
  if (mode == BROADCAST) {
    sentAt[link->sent % depth] = now;
    missing[link->sent % depth] = count;
  } else {
    link->times[link->sent % depth] = now;
  }
  link->sent++;
  link->owed++;
}

static void complete(Link *link) {
  Message *message = &messages[link->got % messageCount];
  if (!message->isCompressed && link->had != message->size)
    fail("a message of %llu bytes, not %u", (unsigned long long)link->had,
         message->size);
  uint64_t number = link->got++;
  link->had = 0;
  done++;
  if (mode == ECHOES) {
    note(now - link->times[number % depth]);
    post(link);
  } else if (mode == BROADCAST) {
    note(now - sentAt[number % depth]);
    if (--missing[number % depth] == 0) {
      post(&links[0]);
      if (link != &links[0]) flush(&links[0]);
    }
  }
}

// The payload's next bytes.
static void compare(Link *link, const unsigned char *data, size_t size) {
  Message *message = &messages[link->got % messageCount];
  if (!message->isCompressed && link->had < COMPARED) {
    if (link->had + size > message->size) fail("a message is too long");
    size_t compared = COMPARED - link->had < size ? COMPARED - link->had : size;
    if (memcmp(data, message->payload + link->had, compared))
      fail("a message is not what was sent");
  }
  link->had += size;
}

void urgent(Link *link, int opcode, const void *data, int size) {
  if (link->urgentSize) return;
  unsigned char *frame = link->urgent;
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | size;
  memset(frame + 2, 0, 4);
  memcpy(frame + 6, data, size);
  link->urgentSize = 6 + size;
}

static void controlled(Link *link) {
  if (link->opcode == 9) {
    urgent(link, 10, link->control, link->controlSize);
  } else if (link->opcode == 8) {
    if (link->state != CLOSING)
      fail("the server closed: %d", link->controlSize < 2 ? 1005 :
           link->control[0] << 8 | link->control[1]);
    link->isClosed = 1;
  }
}

static void headed(Link *link) {
  unsigned char *header = link->header;
  int first = header[0] & 0x70, opcode = header[0] & 15;
  link->isHeaded = 1;
  link->opcode = opcode;
  link->isFinal = header[0] >> 7;
  link->left = header[1] & 127;
  if (link->left >= 126) {
    int wide = link->left == 126 ? 2 : 8;
    link->left = 0;
    for (int i = 0; i < wide; i++) link->left = link->left << 8 | header[2 + i];
  }
  if (header[1] & 0x80) fail("the server masks");
  link->controlSize = 0;
  if (opcode >= 8) {
    if (link->left > 125 || !link->isFinal) fail("a bad control frame");
    return;
  }
  Message *message = &messages[link->got % messageCount];
  if (opcode != (link->isInside ? 0 : message->isText ? 1 : 2))
    fail("opcode %d was not expected", opcode);
  if (first != (!link->isInside && message->isCompressed ? 0x40 : 0))
    fail("reserved bits %x", first);
  link->isInside = 1;
}

static int headerWanted(Link *link) {
  int size = link->header[1] & 127;
  return link->headerSize < 2 ? 2 : size == 126 ? 4 : size == 127 ? 10 : 2;
}

void framesCame(Link *link, const unsigned char *data, size_t size) {
  // A frame without a payload ends as soon as its header is there.
  while (size || (link->isHeaded && !link->left)) {
    if (!link->isHeaded) {
      if (link->isClosed) fail("data after a Close frame");
      link->header[link->headerSize++] = *data++;
      size--;
      if (link->headerSize == headerWanted(link)) headed(link);
      continue;
    }
    size_t part = link->left < size ? link->left : size;
    if (link->opcode >= 8) {
      memcpy(link->control + link->controlSize, data, part);
      link->controlSize += part;
    } else {
      compare(link, data, part);
    }
    data += part;
    size -= part;
    link->left -= part;
    if (link->left) return;
    link->headerSize = link->isHeaded = 0;
    if (link->opcode >= 8) {
      controlled(link);
    } else if (link->isFinal) {
      link->isInside = 0;
      complete(link);
    }
  }
}

void rawCame(Link *link, const unsigned char *data, size_t size) {
  while (size) {
    Message *message = &messages[link->got % messageCount];
    size_t part = message->size - link->had < size ? message->size - link->had : size;
    compare(link, data, part);
    data += part;
    size -= part;
    if (link->had == message->size) complete(link);
  }
}
