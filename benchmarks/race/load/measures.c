// Copyright (c) the twisted_ws authors. Apache License 2.0, see LICENSE.

// What is measured: times, and the CPU of both sides.

#include "load.h"
#include <stdarg.h>
#include <sys/resource.h>
#include <time.h>

#define SLOTS 16                // of the histogram, for each power of two

static uint64_t histogram[64 * SLOTS];

void fail(const char *why, ...) {
  va_list arguments;
  va_start(arguments, why);
  printf("{\"failed\": \"");
  vprintf(why, arguments);
  printf("\"}\n");
  exit(1);
}

uint64_t clockNow(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void note(uint64_t nanoseconds) {
  uint64_t value = nanoseconds | SLOTS;
  int power = 63 - __builtin_clzll(value);
  int part = (value >> (power - 4)) & (SLOTS - 1);
  histogram[power * SLOTS + part]++;
}

void forget(void) {
  memset(histogram, 0, sizeof histogram);
}

// In microseconds; the middle of the slot that it is in.
double percentile(double part) {
  uint64_t total = 0, seen = 0;
  for (int i = 0; i < 64 * SLOTS; i++) total += histogram[i];
  for (int i = 0; i < 64 * SLOTS; i++) {
    seen += histogram[i];
    if (total && seen >= part * total) {
      double step = (double)(1ull << (i / SLOTS)) / SLOTS;
      return ((1ull << (i / SLOTS)) + (i % SLOTS + 0.5) * step) / 1000;
    }
  }
  return 0;
}

// The second number is how long a task was ready and did not get a core.
static double waitedBy(const char *path) {
  unsigned long long ran, waited = 0;
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  if (fscanf(file, "%llu %llu", &ran, &waited) != 2) waited = 0;
  fclose(file);
  return waited / 1e9;
}

Usage usage(void) {
  Usage used = { 0 };
  char path[64], text[2048];
  for (int i = 0; i < pidCount; i++) {
    snprintf(path, sizeof path, "/proc/%d/stat", pids[i]);
    FILE *file = fopen(path, "r");
    if (file == NULL) fail("process %d has gone", pids[i]);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    // User and system time, and those of children that have ended.
    long fields[4] = { 0 };
    char *rest = strrchr(text, ')');
    if (rest) {
      sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld",
             &fields[0], &fields[1], &fields[2], &fields[3]);
    }
    for (int j = 0; j < 4; j++) used.server += fields[j];
    snprintf(path, sizeof path, "/proc/%d/schedstat", pids[i]);
    used.serverWaited += waitedBy(path);
  }
  used.server /= sysconf(_SC_CLK_TCK);
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  used.own = own.ru_utime.tv_sec + own.ru_stime.tv_sec +
             (own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
  used.ownWaited = waitedBy("/proc/self/schedstat");
  used.at = clockNow();
  return used;
}
