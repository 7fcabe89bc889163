// SHA-256 (FIPS 180-4), incremental. Uses the CPU's SHA extensions when it has them, portable C++ otherwise.
#ifndef SENTINEL_SHA256_H
#define SENTINEL_SHA256_H
#include <stddef.h>
#include <stdint.h>

namespace sentinel {

class Sha256 {
 public:
  static constexpr size_t kDigestBytes = 32;
  // `portable` keeps away from the SHA extensions (tests compare the two).
  explicit Sha256(bool portable = false);
  void update(const void *data, size_t length);
  void finish(uint8_t digest[kDigestBytes]);

 private:
  using Compress = void (*)(uint32_t state[8], const uint8_t *blocks, size_t count);
  Compress compress_;
  uint32_t state_[8];
  uint64_t length_ = 0;
  uint8_t pending_[64];
  size_t pendingBytes_ = 0;
};

// Whether this CPU has the SHA extensions (and SSE4.1, which the fast path also needs).
bool hasShaExtensions();

}  // namespace sentinel
#endif
