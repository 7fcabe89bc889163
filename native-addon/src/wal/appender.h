/* How native sensor code appends to a lane's log without a detour through JavaScript. The pointer crosses between
 * the two addons inside an Napi::External<swal_appender>; it stays valid until the writer is closed, which must
 * happen after the sensor stopped. Thread-safe: callable from any thread. */
#ifndef SENTINEL_WAL_APPENDER_H
#define SENTINEL_WAL_APPENDER_H
#include <stddef.h>
#include <stdint.h>

#define SWAL_APPENDER_ABI 1u

typedef struct swal_append_record {
  uint16_t type;   /* RecordType in agent/wal/types.ts */
  uint16_t schema; /* Schema in agent/wal/types.ts */
  uint16_t flags;
  uint16_t cpu;
  uint64_t wall_ns;
  const void *payload;
  uint32_t len;
} swal_append_record;

typedef struct swal_appender {
  uint32_t abi;
  void *ctx;
  /* Appends n records in order; `urgent` commits at once, else within the lane's window (5 ms security, 1 s
   * observability). Does not wait for the disk, with one exception: while the bound on pending bytes is reached it
   * waits for room, at most 5 s, so that a disk slower than the arrivals fills the kernel's ring, whose overflow is
   * counted exactly. Returns the sequence number of the first record (the others follow), or 0 when nothing was
   * accepted: the log has failed or was closed, the wait was in vain, or a record is larger than a segment. The caller
   * must then account for n lost records. */
  uint64_t (*append)(void *ctx, const swal_append_record *records, size_t n, int urgent);
} swal_appender;

#endif
