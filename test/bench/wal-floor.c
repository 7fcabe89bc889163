// What the disk and the kernel take at least, without any log around: one 4 KiB write + fdatasync into a preallocated
// file. Prints one line.
//   sync FILE N          median and 99th percentile of N syncs one after the other, us
//   cpu FILE RATE MS     CPU of one core, per cent, of RATE syncs a second, beyond the sleeps between them
//   load FILE RATE MS    arrivals at RATE a second, one thread that syncs whatever has arrived: median and 99th
//                        percentile from arrival to durable, us
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { kPage = 4096, kPages = 2048, kMost = 1 << 20 };
static char *page;
static int fd;
static long turn;
static int64_t arrived[kMost];
static double took[kMost];
static long head, tail;
static int done;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}
static void sleep_until(int64_t at) {
  const struct timespec t = {at / 1000000000, at % 1000000000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
static void sync_once(void) {
  const off_t at = turn++ % kPages * kPage;
  page[0] = (char)turn;
  if (pwrite(fd, page, kPage, at) != kPage || fdatasync(fd)) exit(1);
}
static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}
static void percentiles(long n) {
  if (n == 0) exit(1);
  qsort(took, n, sizeof *took, ascending);
  printf("%.1f %.1f\n", took[n / 2], took[n * 99 / 100]);
}
static double cpu_seconds(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}
static double paced_cpu(int rate, int ms, int write) {
  const double before = cpu_seconds();
  const int64_t start = now();
  const long n = (long)rate * ms / 1000;
  for (long i = 0; i < n; i++) {
    sleep_until(start + i * 1000000000ll / rate);
    if (write) sync_once();
  }
  return (cpu_seconds() - before) / ((now() - start) / 1e9) * 100;
}
static void *committer(void *unused) {
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (head == tail && !done) pthread_cond_wait(&filled, &mutex);
    const long from = tail, to = head;
    pthread_mutex_unlock(&mutex);
    if (from == to) return unused;
    sync_once();
    const int64_t at = now();
    for (long i = from; i < to; i++) took[i] = (at - arrived[i]) / 1e3;
    tail = to;
  }
}
int main(int argc, char **argv) {
  if (argc < 4) return 2;
  page = aligned_alloc(kPage, kPage);
  memset(page, 0, kPage);
  fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (int i = 0; i < kPages; i++)
    if (pwrite(fd, page, kPage, (off_t)i * kPage) != kPage) return 1;
  if (fsync(fd)) return 1;
  const int rate = atoi(argv[3]), ms = argc > 4 ? atoi(argv[4]) : 0;
  if (!strcmp(argv[1], "sync")) {
    for (long i = 0; i < rate && i < kMost; i++) {
      const int64_t start = now();
      sync_once();
      took[i] = (now() - start) / 1e3;
    }
    percentiles(rate);
  } else if (!strcmp(argv[1], "cpu")) {
    const double sleeping = paced_cpu(rate, ms / 2, 0);
    printf("%.3f\n", paced_cpu(rate, ms / 2, 1) - sleeping);
  } else {
    pthread_t thread;
    pthread_create(&thread, NULL, committer, NULL);
    const int64_t start = now();
    const long n = (long)rate * ms / 1000;
    for (long i = 0; i < n && i < kMost; i++) {
      sleep_until(start + i * 1000000000ll / rate);
      pthread_mutex_lock(&mutex);
      arrived[head] = now();
      head++;
      pthread_cond_signal(&filled);
      pthread_mutex_unlock(&mutex);
    }
    pthread_mutex_lock(&mutex);
    done = 1;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    percentiles(head);
  }
  return 0;
}
