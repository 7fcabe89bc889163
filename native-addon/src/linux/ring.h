/* Reader of one BPF ring buffer (kernel/bpf/ringbuf.c): a page with the consumer position, a page with the producer
 * position, then the data mapped twice in a row so that a record never wraps. One reader per ring. */
#ifndef SENTINEL_RING_H
#define SENTINEL_RING_H
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define SN_RINGBUF_BUSY (1u << 31)
#define SN_RINGBUF_DISCARD (1u << 30)
#define SN_RINGBUF_HEADER 8

struct sn_ring {
  int fd;
  uint64_t size;
  uint64_t *consumer;
  uint64_t *producer;
  const uint8_t *data;
};

/* Maps the ring behind `fd`. Returns 0 or a negative errno. */
static inline int sn_ring_map(struct sn_ring *ring, int fd, uint64_t size)
{
  long page = sysconf(_SC_PAGESIZE);
  void *consumer, *producer;

  consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (consumer == MAP_FAILED)
    return -errno;
  producer = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, page);
  if (producer == MAP_FAILED) {
    int error = -errno;
    munmap(consumer, page);
    return error;
  }
  ring->fd = fd;
  ring->size = size;
  ring->consumer = (uint64_t *)consumer;
  ring->producer = (uint64_t *)producer;
  ring->data = (const uint8_t *)producer + page;
  return 0;
}

static inline void sn_ring_unmap(struct sn_ring *ring)
{
  long page = sysconf(_SC_PAGESIZE);

  if (!ring->data)
    return;
  munmap(ring->consumer, page);
  munmap(ring->producer, page + 2 * ring->size);
  ring->data = NULL;
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
      const uint32_t *header = (const uint32_t *)(ring->data + (at & (ring->size - 1)));
      uint32_t word = __atomic_load_n(header, __ATOMIC_ACQUIRE);
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
