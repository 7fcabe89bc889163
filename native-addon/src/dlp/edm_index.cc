#include "dlp/edm_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

extern "C" {
#include "blake3/blake3.h"
}

namespace sentinel::dlp {
namespace {

constexpr size_t kReadBytes = 256 * 1024;

template <typename T>
void put(std::string *out, const T &value) {
  out->append(reinterpret_cast<const char *>(&value), sizeof value);
}

void putText(std::string *out, const std::string &text) {
  put(out, static_cast<uint32_t>(text.size()));
  out->append(text);
}

struct MetaReader {
  const std::string &bytes;
  size_t at = 0;
  bool ok = true;

  template <typename T>
  void get(T *value) {
    if (!ok || bytes.size() - at < sizeof *value) {
      ok = false;
      return;
    }
    memcpy(value, bytes.data() + at, sizeof *value);
    at += sizeof *value;
  }
  void getText(std::string *text) {
    uint32_t n = 0;
    get(&n);
    if (!ok || bytes.size() - at < n) {
      ok = false;
      return;
    }
    text->assign(bytes, at, n);
    at += n;
  }
};

bool readAt(int fd, uint64_t at, void *to, size_t n) {
  auto *out = static_cast<uint8_t *>(to);
  while (n > 0) {
    const ssize_t got = pread(fd, out, n, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out += got;
    at += static_cast<uint64_t>(got);
    n -= static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

std::string packMeta(const IndexMeta &meta) {
  std::string out;
  putText(&out, meta.name);
  put(&out, static_cast<uint32_t>(meta.fields.size()));
  for (const FieldSpec &field : meta.fields) {
    putText(&out, field.column);
    put(&out, field.type);
    put(&out, static_cast<uint8_t>(field.primary));
    put(&out, static_cast<uint8_t>(field.combined));
  }
  put(&out, meta.secondary);
  put(&out, meta.withinTokens);
  put(&out, static_cast<uint8_t>(meta.sameRow));
  put(&out, meta.dates);
  put(&out, meta.rows);
  put(&out, meta.lone);
  put(&out, meta.combined);
  put(&out, meta.shapes);
  return out;
}

bool unpackMeta(const std::string &bytes, IndexMeta *meta) {
  MetaReader reader{bytes};
  reader.getText(&meta->name);
  uint32_t fields = 0;
  reader.get(&fields);
  if (!reader.ok || fields > kMaxFields) return false;
  for (uint32_t i = 0; i < fields; ++i) {
    FieldSpec field;
    uint8_t primary = 0, combined = 0;
    reader.getText(&field.column);
    reader.get(&field.type);
    reader.get(&primary);
    reader.get(&combined);
    field.primary = primary != 0;
    field.combined = combined != 0;
    if (field.type > FieldType::kId) return false;
    meta->fields.push_back(field);
  }
  uint8_t sameRow = 0;
  reader.get(&meta->secondary);
  reader.get(&meta->withinTokens);
  reader.get(&sameRow);
  reader.get(&meta->dates);
  reader.get(&meta->rows);
  reader.get(&meta->lone);
  reader.get(&meta->combined);
  reader.get(&meta->shapes);
  meta->sameRow = sameRow != 0;
  return reader.ok && reader.at == bytes.size() && meta->dates <= DateOrder::kMonthFirst;
}

bool headerIsSealed(const IndexKeys &keys, const uint8_t header[kHeaderBytes]) {
  const Digest seal = macOf(keys, header, kHeaderSealAt);
  const uint8_t *rest = header + kHeaderSealAt + sizeof seal.bytes;
  return memcmp(seal.bytes, header + kHeaderSealAt, sizeof seal.bytes) == 0 && std::all_of(rest, header + kHeaderBytes, [](uint8_t byte) { return byte == 0; });
}

Index::~Index() {
  if (fd_ >= 0) close(fd_);
  free(bloom_);
  explicit_bzero(&keys_, sizeof keys_);
}

std::shared_ptr<Index> Index::open(int fd, const Key &master, OpenError *error, std::string *detail) {
  std::shared_ptr<Index> index(new Index());
  index->fd_ = fd;
  struct stat stat = {};
  uint8_t header[kHeaderBytes];
  *error = OpenError::kUnreadable;
  if (fstat(fd, &stat) != 0) return *detail = strerror(errno), nullptr;
  if (!S_ISREG(stat.st_mode)) return *error = OpenError::kNotAnIndex, nullptr;
  const uint64_t size = static_cast<uint64_t>(stat.st_size);
  *error = OpenError::kNotAnIndex;
  if (size < 8 || !readAt(fd, 0, header, std::min<size_t>(size, kHeaderBytes)) || memcmp(header, "SDLPIDX1", 8) != 0) return nullptr;
  *error = OpenError::kTruncated;
  if (size < kHeaderBytes + kPrologueBytes) return nullptr;
  uint32_t version;
  memcpy(&version, header + 8, 4);
  *error = OpenError::kVersion;
  if (version != kIndexVersion) return *detail = std::to_string(version), nullptr;
  memcpy(&index->fileBytes_, header + 64, 8);
  *error = OpenError::kTruncated;
  if (index->fileBytes_ > size) return *detail = std::to_string(size) + " of " + std::to_string(index->fileBytes_) + " bytes", nullptr;
  *error = OpenError::kCorrupt;
  if (index->fileBytes_ != size) return *detail = "bytes follow after its end", nullptr;
  const std::string id = keyIdOf(master);
  char text[17];
  for (int i = 0; i < 8; ++i) snprintf(text + i * 2, 3, "%02x", header[16 + i]);
  *error = OpenError::kWrongKey;
  if (id != text) return *detail = text, nullptr;
  memcpy(&index->createdMs_, header + 56, 8);
  index->keys_ = deriveKeys(master, header + 24);
  uint8_t mac[32], hash[32];
  blake3_hasher hasher;
  blake3_hasher_init_keyed(&hasher, index->keys_.mac.data());
  blake3_hasher_update(&hasher, header, kHeaderMacAt);
  blake3_hasher_finalize(&hasher, mac, sizeof mac);
  *error = OpenError::kCorrupt;
  if (!headerIsSealed(index->keys_, header) || memcmp(mac, header + kHeaderMacAt, 32) != 0) return *detail = "its header was changed", nullptr;
  blake3_hasher_init(&hasher);
  std::unique_ptr<uint8_t[]> buffer(new uint8_t[kReadBytes]);
  for (uint64_t at = kHeaderBytes; at < size;) {
    const size_t part = static_cast<size_t>(std::min<uint64_t>(kReadBytes, size - at));
    if (!readAt(fd, at, buffer.get(), part)) return *error = OpenError::kUnreadable, *detail = strerror(errno), nullptr;
    blake3_hasher_update(&hasher, buffer.get(), part);
    at += part;
  }
  blake3_hasher_finalize(&hasher, hash, sizeof hash);
  if (memcmp(hash, header + 72, 32) != 0) return *detail = "its content was changed", nullptr;
  if (!index->load(detail)) return nullptr;
  *error = OpenError::kNone;
  return index;
}

bool Index::readBody(uint64_t at, void *to, size_t n) const {
  if (!readAt(fd_, kHeaderBytes + at, to, n)) return false;
  applyKeystream(keys_.stream, at, static_cast<uint8_t *>(to), n);
  return true;
}

bool Index::loadDirectory(const Prologue::Table &table, Directory *directory) const {
  if (table.buckets == 0) return true;
  directory->firsts.resize(directoryFirsts(table.buckets));
  directory->counts.resize(table.buckets);
  return readBody(table.directoryAt, directory->firsts.data(), directory->firsts.size() * 4) &&
         readBody(table.directoryAt + directory->firsts.size() * 4, directory->counts.data(), directory->counts.size() * 2);
}

bool Index::load(std::string *detail) {
  uint8_t prologue[kPrologueBytes];
  static_assert(sizeof(Prologue) <= kPrologueBytes, "the prologue has room");
  *detail = "its sections do not fit together";
  if (!readBody(0, prologue, sizeof prologue)) return false;
  memcpy(&prologue_, prologue, sizeof prologue_);
  const uint64_t body = fileBytes_ - kHeaderBytes;
  const auto inside = [&](uint64_t at, uint64_t n) { return at <= body && n <= body - at; };
  const auto tableFits = [&](const Prologue::Table &table) {
    return table.entries < UINT32_MAX && table.buckets < UINT32_MAX && table.entryBytes < 256 &&
           inside(table.directoryAt, directoryBytes(table.buckets)) && inside(table.at, table.entries * table.entryBytes);
  };
  if (!inside(prologue_.metaAt, prologue_.metaBytes) || prologue_.metaBytes > 1 << 20 || prologue_.bloomBlocks > body / 32 ||
      !inside(prologue_.bloomAt, prologue_.bloomBlocks * 32) || prologue_.preBits > body * 8 || prologue_.midBits > body * 8 ||
      prologue_.preBits % 64 != 0 || prologue_.midBits % 64 != 0 || !inside(prologue_.preAt, prologue_.preBits / 8) ||
      !inside(prologue_.midAt, prologue_.midBits / 8) || !tableFits(prologue_.lone) || !tableFits(prologue_.combined))
    return false;
  std::string meta(prologue_.metaBytes, 0);
  if (!readBody(prologue_.metaAt, &meta[0], meta.size()) || !unpackMeta(meta, &meta_)) return false;
  for (size_t i = 0; i < meta_.fields.size(); ++i) {
    if (!meta_.fields[i].primary) secondaryFields_.push_back(static_cast<uint8_t>(i));
  }
  // What reads an entry takes its length from the fields.
  const uint64_t loneBytes = kFingerprintBytes + 5 + secondaryFields_.size() * kSecondaryBytes, combinedBytes = kFingerprintBytes + 6;
  if ((prologue_.lone.buckets > 0 && prologue_.lone.entryBytes != loneBytes) ||
      (prologue_.combined.buckets > 0 && prologue_.combined.entryBytes != combinedBytes))
    return false;
  // An index of combinations only still has one empty block, so that no probe needs to ask.
  bloomBlocks_ = std::max<uint64_t>(prologue_.bloomBlocks, 1);
  bloom_ = static_cast<BloomBlock *>(aligned_alloc(64, (bloomBlocks_ * 32 + 63) / 64 * 64));
  if (!bloom_) return *detail = "not enough memory for its filter", false;
  memset(static_cast<void *>(bloom_), 0, bloomBlocks_ * 32);
  pre_.resize(prologue_.preBits / 64);
  mid_.resize(prologue_.midBits / 64);
  return readBody(prologue_.bloomAt, bloom_, prologue_.bloomBlocks * 32) && readBody(prologue_.preAt, pre_.data(), pre_.size() * 8) &&
         readBody(prologue_.midAt, mid_.data(), mid_.size() * 8) && loadDirectory(prologue_.lone, &directories_[0]) &&
         loadDirectory(prologue_.combined, &directories_[1]);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) bool Index::mayHoldAvx2(uint64_t hash) const {
  const __m256i salts = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(kBloomSalts));
  const __m256i low = _mm256_set1_epi32(static_cast<int>(static_cast<uint32_t>(hash)));
  const __m256i shift = _mm256_srli_epi32(_mm256_mullo_epi32(low, salts), 27);
  const __m256i bits = _mm256_sllv_epi32(_mm256_set1_epi32(1), shift);
  const auto *block = reinterpret_cast<const __m256i *>(&bloom_[bloomBlockOf(hash, bloomBlocks_)]);
  return _mm256_testc_si256(_mm256_load_si256(block), bits) != 0;
}
#endif

size_t Index::lookup(bool combined, const Digest &digest, std::vector<uint8_t> *scratch) const {
  const Prologue::Table &table = combined ? prologue_.combined : prologue_.lone;
  const Directory &directory = directories_[combined ? 1 : 0];
  if (table.buckets == 0) return 0;
  uint32_t top;
  memcpy(&top, digest.bytes, 4);
  const uint64_t bucket = static_cast<uint64_t>(top) * table.buckets >> 32;
  uint64_t first = directory.firsts[bucket / 64];
  for (uint64_t i = bucket / 64 * 64; i < bucket; ++i) first += directory.counts[i];
  const size_t count = directory.counts[bucket];
  if (count == 0 || first + count > table.entries) return 0;
  const size_t entryBytes = table.entryBytes;
  scratch->resize(count * entryBytes);
  if (!readBody(table.at + first * entryBytes, scratch->data(), scratch->size())) {
    __atomic_add_fetch(&readFailures_, 1, __ATOMIC_RELAXED);
    return 0;
  }
  size_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t *entry = scratch->data() + i * entryBytes;
    if (memcmp(entry, digest.bytes + 4, kFingerprintBytes) != 0) continue;
    memmove(scratch->data() + found++ * entryBytes, entry, entryBytes);
  }
  return found;
}

double Index::measuredRate() const {
  const uint32_t tries = 200000;
  uint32_t passed = 0;
  uint64_t state = 0x9e3779b97f4a7c15ull;
  for (uint32_t i = 0; i < tries; ++i) {
    state += 0x9e3779b97f4a7c15ull;
    uint64_t hash = (state ^ state >> 30) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebull;
    hash ^= hash >> 31;
    const bool lone = prologue_.lone.entries > 0 && mayHold(hash);
    if (lone || maybePrimary(hash)) ++passed;
  }
  return static_cast<double>(passed) / tries;
}

}  // namespace sentinel::dlp
