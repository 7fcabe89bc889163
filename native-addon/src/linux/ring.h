/* Reader of one BPF ring buffer (kernel/bpf/ringbuf.c): a page with the consumer position, a page with the producer
 * position, then the data mapped twice in a row so that a record never wraps. One reader per ring.
 *
 * Only a window of the data is mapped at a time: a mapping of a ring counts as resident memory of ours at once and in
 * full, 24 MB for both, although the kernel has it anyway. */
#ifndef SENTINEL_RING_H
#define SENTINEL_RING_H
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define SN_RINGBUF_BUSY (1u << 31)
#define SN_RINGBUF_DISCARD (1u << 30)
#define SN_RINGBUF_HEADER 8

#define SN_RING_WINDOW (256u << 10)
/* A record that starts in the window may end behind it. */
#define SN_RING_OVERLAP (32u << 10)

struct sn_ring {
  int fd;
  uint64_t size;
  uint64_t *consumer;
  uint64_t *producer;
  const uint8_t *window;
  uint64_t window_at; /* offset of the window in the data */
};

/* Maps the ring behind `fd`. Returns 0 or a negative errno. */
static inline int sn_ring_map(struct sn_ring *ring, int fd, uint64_t size)
{
  long page = sysconf(_SC_PAGESIZE);
  void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *producer;

  if (consumer == MAP_FAILED)
    return -errno;
  producer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, page);
  if (producer == MAP_FAILED) {
    int error = -errno;
    munmap(consumer, page);
    return error;
  }
  ring->fd = fd;
  ring->size = size;
  ring->consumer = (uint64_t *)consumer;
  ring->producer = (uint64_t *)producer;
  ring->window = NULL;
  return 0;
}

static inline void sn_ring_unmap(struct sn_ring *ring)
{
  long page = sysconf(_SC_PAGESIZE);

  if (!ring->consumer)
    return;
  munmap(ring->consumer, page);
  munmap(ring->producer, page);
  if (ring->window)
    munmap((void *)ring->window, SN_RING_WINDOW + SN_RING_OVERLAP);
  ring->consumer = NULL;
  ring->window = NULL;
}

/* Address of the data at `position`, with SN_RING_OVERLAP behind it; NULL if it cannot be mapped. */
static inline const uint8_t *sn_ring_at(struct sn_ring *ring, uint64_t position)
{
  uint64_t offset = position & (ring->size - 1), at = offset & ~(uint64_t)(SN_RING_WINDOW - 1);
  void *window;

  if (!ring->window || at != ring->window_at) {
    if (ring->window)
      munmap((void *)ring->window, SN_RING_WINDOW + SN_RING_OVERLAP);
    window = mmap(NULL, SN_RING_WINDOW + SN_RING_OVERLAP, PROT_READ, MAP_SHARED, ring->fd,
                  2 * sysconf(_SC_PAGESIZE) + (off_t)at);
    ring->window = window == MAP_FAILED ? NULL : (const uint8_t *)window;
    ring->window_at = at;
  }
  return ring->window ? ring->window + (offset - at) : NULL;
}

/* Bytes that the kernel produced and nobody consumed. */
static inline uint64_t sn_ring_used(const struct sn_ring *ring)
{
  return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
}

/* Hands records to `take` until the ring is empty, a record is still being written, or `take` returns non-zero (that
 * record stays). Returns how many were taken. */
static inline uint64_t sn_ring_consume(struct sn_ring *ring, int (*take)(void *ctx, const void *record, uint32_t len),
                                       void *ctx)
{
  uint64_t at = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE), count = 0;

  for (;;) {
    uint64_t end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
    if (at >= end)
      return count;
    while (at < end) {
      const uint32_t *header = (const uint32_t *)sn_ring_at(ring, at);
      uint32_t word = header ? __atomic_load_n(header, __ATOMIC_ACQUIRE) : SN_RINGBUF_BUSY;
      uint32_t len = word & ~(SN_RINGBUF_BUSY | SN_RINGBUF_DISCARD);

      if (word & SN_RINGBUF_BUSY)
        return count;
      if (!(word & SN_RINGBUF_DISCARD)) {
        if (take(ctx, (const uint8_t *)header + SN_RINGBUF_HEADER, len))
          return count;
        count++;
      }
      at += (len + SN_RINGBUF_HEADER + 7) & ~7ull;
      __atomic_store_n(ring->consumer, at, __ATOMIC_RELEASE);
    }
  }
}

#endif
