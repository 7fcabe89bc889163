#include "dlp/document_index.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "dlp/winnow.h"

extern "C" {
#include "blake3/blake3.h"
}

namespace sentinel::dlp {
namespace {

constexpr char kDocumentMagic[] = "SDLPDOC1", kListMagic[] = "SDLPLST1";
constexpr size_t kIo = 1 << 20;
constexpr size_t kMaxMeta = 256u << 20;

struct Layout {
  uint64_t wholeFiles = 0, metaAt = 0, metaBytes = 0, bloomAt = 0, bloomBlocks = 0, firstsAt = 0, buckets = 0, entriesAt = 0, entries = 0;
  uint64_t unused[7] = {};
};
static_assert(sizeof(Layout) == 128, "sixteen numbers");

inline uint64_t loadWord(const uint8_t* at) {
  uint64_t value;
  memcpy(&value, at, 8);
  return value;
}

inline uint64_t mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline size_t bucketOf(uint64_t digest, uint64_t buckets) { return static_cast<size_t>(bitOf(digest, buckets)); }

bool readAt(int fd, uint64_t at, void* to, size_t n) {
  for (size_t done = 0; done < n;) {
    const ssize_t got = pread(fd, static_cast<uint8_t*>(to) + done, n - done, static_cast<off_t>(at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<size_t>(got);
  }
  return true;
}

bool writeAt(int fd, uint64_t at, const void* from, size_t n) {
  for (size_t done = 0; done < n;) {
    const ssize_t wrote = pwrite(fd, static_cast<const uint8_t*>(from) + done, n - done, static_cast<off_t>(at + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    done += static_cast<size_t>(wrote);
  }
  return true;
}

// A body is written from its beginning on, encrypted and hashed as it goes.
class BodyWriter {
 public:
  BodyWriter(int fd, const IndexKeys& keys) : fd_(fd), keys_(keys) { blake3_hasher_init(&hasher_); }
  bool put(const void* bytes, size_t n) {
    const uint8_t* from = static_cast<const uint8_t*>(bytes);
    while (n > 0 && good_) {
      const size_t part = std::min(n, kIo);
      scratch_.assign(from, from + part);
      applyKeystream(keys_.stream, at_, scratch_.data(), part);
      blake3_hasher_update(&hasher_, scratch_.data(), part);
      good_ = writeAt(fd_, kHeaderBytes + at_, scratch_.data(), part);
      at_ += part;
      from += part;
      n -= part;
    }
    return good_;
  }
  bool align() {
    static const uint8_t zeros[64] = {};
    return put(zeros, (64 - at_ % 64) % 64);
  }
  uint64_t at() const { return at_; }
  void hash(uint8_t out[32]) { blake3_hasher_finalize(&hasher_, out, 32); }

 private:
  int fd_;
  const IndexKeys& keys_;
  blake3_hasher hasher_;
  std::vector<uint8_t> scratch_;
  uint64_t at_ = 0;
  bool good_ = true;
};

void putNumber(std::string* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) out->push_back(static_cast<char>(value >> (8 * i)));
}

// Reads numbers and texts; `good` is false once something did not fit.
struct MetaReader {
  const std::string& bytes;
  size_t at = 0;
  bool good = true;
  uint64_t number(size_t size) {
    if (size > bytes.size() - at) return good = false, 0;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
    at += size;
    return value;
  }
  std::string text(size_t size) {
    if (size > bytes.size() - at) return good = false, std::string();
    at += size;
    return bytes.substr(at - size, size);
  }
};

std::string packMetaOf(const DocumentContent& content) {
  std::string out;
  putNumber(&out, content.documents.size(), 4);
  for (const DocumentMeta& document : content.documents) {
    const std::string name = document.name.substr(0, 4096);
    putNumber(&out, name.size(), 2);
    out += name;
    putNumber(&out, document.windows, 4);
    putNumber(&out, document.characters, 8);
  }
  putNumber(&out, content.groups.size(), 4);
  for (const auto& group : content.groups) {
    putNumber(&out, group.size(), 2);
    for (const uint32_t document : group) putNumber(&out, document, 4);
  }
  return out;
}

}  // namespace

uint64_t fastWindowHash(const uint64_t seeds[4], const uint8_t* bytes) {
  const uint64_t a = mix(loadWord(bytes) ^ seeds[0], loadWord(bytes + 8) ^ seeds[1]);
  const uint64_t b = mix(loadWord(bytes + 16) ^ seeds[2], loadWord(bytes + 24) ^ seeds[3]);
  const uint64_t c = mix(loadWord(bytes + 32) ^ seeds[1], loadWord(bytes + 40) ^ seeds[2]);
  return mix(a ^ seeds[3], b ^ (c << 21 | c >> 43) ^ seeds[0]);
}

void digestWindows(const Key& key, const uint8_t* const* windows, size_t n, uint64_t* out) {
  Block blocks[kBatch];
  const Block* inputs[kBatch];
  Digest digests[kBatch];
  for (size_t i = 0; i < n; i++) {
    memcpy(blocks[i].bytes, windows[i], kWindowBytes);
    memset(blocks[i].bytes + kWindowBytes, 0x57, kBlockBytes - kWindowBytes);
    inputs[i] = &blocks[i];
  }
  hashBlocks(key, inputs, n, digests);
  for (size_t i = 0; i < n; i++) out[i] = loadWord(digests[i].bytes);
  explicit_bzero(blocks, sizeof blocks);
}

void padFileHash(const uint8_t hash[32], uint8_t window[48]) {
  memcpy(window, hash, 32);
  memset(window + 32, 0xF1, 16);
}

std::string writeDocumentIndex(int fd, const Key& master, const uint8_t salt[32], uint64_t createdMs, DocumentContent* content) {
  const IndexKeys keys = deriveKeys(master, salt);
  std::sort(content->entries.begin(), content->entries.end(),
            [](const auto& a, const auto& b) { return a.digest < b.digest; });
  if (content->entries.size() >= UINT32_MAX) return "there are too many windows for one index";
  const std::string meta = packMetaOf(*content);
  if (meta.size() > kMaxMeta) return "there are too many documents for one index";
  Layout layout;
  layout.wholeFiles = content->wholeFiles;
  layout.entries = content->entries.size();
  layout.buckets = layout.entries / kBucketEntries + 1;
  layout.bloomBlocks = layout.entries * 12 / 256 + 1;
  const auto aligned = [](uint64_t at) { return (at + 63) / 64 * 64; };
  layout.metaAt = sizeof layout;
  layout.metaBytes = meta.size();
  layout.bloomAt = aligned(layout.metaAt + layout.metaBytes);
  layout.firstsAt = aligned(layout.bloomAt + layout.bloomBlocks * 32);
  layout.entriesAt = aligned(layout.firstsAt + (layout.buckets + 1) * 4);
  std::vector<BloomBlock> bloom(layout.bloomBlocks);
  for (BloomBlock& block : bloom) memset(block.words, 0, sizeof block.words);
  std::vector<uint32_t> firsts(layout.buckets + 1, 0);
  for (const auto& entry : content->entries) {
    BloomBlock& block = bloom[bloomBlockOf(entry.fast, layout.bloomBlocks)];
    for (int i = 0; i < 8; i++) block.words[i] |= 1u << (static_cast<uint32_t>(entry.fast) * kBloomSalts[i] >> 27);
    firsts[bucketOf(entry.digest, layout.buckets) + 1]++;
  }
  for (size_t i = 1; i < firsts.size(); i++) firsts[i] += firsts[i - 1];
  BodyWriter body(fd, keys);
  body.put(&layout, sizeof layout);
  body.put(meta.data(), meta.size());
  body.align();
  body.put(bloom.data(), bloom.size() * sizeof(BloomBlock));
  body.align();
  body.put(firsts.data(), firsts.size() * 4);
  body.align();
  std::vector<uint8_t> packed;
  for (size_t i = 0; i < content->entries.size(); i++) {
    uint8_t entry[kEntryBytes];
    memcpy(entry, &content->entries[i].digest, 8);
    memcpy(entry + 8, &content->entries[i].ref, 4);
    packed.insert(packed.end(), entry, entry + kEntryBytes);
    if (packed.size() >= kIo) body.put(packed.data(), packed.size()), packed.clear();
  }
  if (!body.put(packed.data(), packed.size())) return strerror(errno);
  uint8_t header[kHeaderBytes] = {};
  memcpy(header, content->wholeFiles ? kListMagic : kDocumentMagic, 8);
  memcpy(header + 8, &kIndexVersion, 4);
  const std::string id = keyIdOf(master);
  for (size_t i = 0; i < 8; i++) header[16 + i] = static_cast<uint8_t>(std::stoul(id.substr(i * 2, 2), nullptr, 16));
  memcpy(header + 24, salt, 32);
  memcpy(header + 56, &createdMs, 8);
  const uint64_t fileBytes = kHeaderBytes + body.at();
  memcpy(header + 64, &fileBytes, 8);
  body.hash(header + 72);
  blake3_hasher hasher;
  blake3_hasher_init_keyed(&hasher, keys.mac.data());
  blake3_hasher_update(&hasher, header, kHeaderMacAt);
  blake3_hasher_finalize(&hasher, header + kHeaderMacAt, 32);
  return writeAt(fd, 0, header, sizeof header) ? "" : strerror(errno);
}

DocumentIndex::~DocumentIndex() {
  if (fd_ >= 0) close(fd_);
  explicit_bzero(&keys_, sizeof keys_);
}

std::shared_ptr<DocumentIndex> DocumentIndex::open(int fd, const Key& master, OpenError* error, std::string* detail) {
  std::shared_ptr<DocumentIndex> index(new DocumentIndex());
  index->fd_ = fd;
  const auto refuse = [&](OpenError why, std::string words) {
    *error = why;
    *detail = std::move(words);
    return std::shared_ptr<DocumentIndex>();
  };
  struct stat stat = {};
  uint8_t header[kHeaderBytes];
  if (fstat(fd, &stat) != 0) return refuse(OpenError::kUnreadable, strerror(errno));
  const uint64_t size = static_cast<uint64_t>(stat.st_size);
  if (!S_ISREG(stat.st_mode) || size < 8 || !readAt(fd, 0, header, static_cast<size_t>(std::min<uint64_t>(size, kHeaderBytes))))
    return refuse(OpenError::kNotAnIndex, "");
  if (memcmp(header, kDocumentMagic, 8) != 0 && memcmp(header, kListMagic, 8) != 0) return refuse(OpenError::kNotAnIndex, "");
  if (size < kHeaderBytes + sizeof(Layout)) return refuse(OpenError::kTruncated, "");
  uint32_t version;
  memcpy(&version, header + 8, 4);
  if (version != kIndexVersion) return refuse(OpenError::kVersion, std::to_string(version));
  index->fileBytes_ = loadWord(header + 64);
  if (index->fileBytes_ > size)
    return refuse(OpenError::kTruncated, std::to_string(size) + " of " + std::to_string(index->fileBytes_) + " bytes");
  if (index->fileBytes_ != size) return refuse(OpenError::kCorrupt, "bytes follow after its end");
  char id[17];
  for (int i = 0; i < 8; i++) snprintf(id + i * 2, 3, "%02x", header[16 + i]);
  if (keyIdOf(master) != id) return refuse(OpenError::kWrongKey, id);
  index->createdMs_ = loadWord(header + 56);
  index->keys_ = deriveKeys(master, header + 24);
  uint8_t mac[32], hash[32];
  blake3_hasher hasher;
  blake3_hasher_init_keyed(&hasher, index->keys_.mac.data());
  blake3_hasher_update(&hasher, header, kHeaderMacAt);
  blake3_hasher_finalize(&hasher, mac, sizeof mac);
  if (!headerIsSealed(index->keys_, header) || memcmp(mac, header + kHeaderMacAt, 32) != 0)
    return refuse(OpenError::kCorrupt, "its header was changed");
  blake3_hasher_init(&hasher);
  std::vector<uint8_t> buffer(kIo);
  for (uint64_t at = kHeaderBytes; at < size;) {
    const size_t part = static_cast<size_t>(std::min<uint64_t>(kIo, size - at));
    if (!readAt(fd, at, buffer.data(), part)) return refuse(OpenError::kUnreadable, strerror(errno));
    blake3_hasher_update(&hasher, buffer.data(), part);
    at += part;
  }
  blake3_hasher_finalize(&hasher, hash, sizeof hash);
  if (memcmp(hash, header + 72, 32) != 0) return refuse(OpenError::kCorrupt, "its content was changed");
  if (!index->load() || index->wholeFiles_ != (memcmp(header, kListMagic, 8) == 0)) return refuse(OpenError::kCorrupt, "its sections do not fit together");
  *error = OpenError::kNone;
  return index;
}

bool DocumentIndex::readBody(uint64_t at, void* to, size_t n) const {
  if (!readAt(fd_, kHeaderBytes + at, to, n)) return false;
  applyKeystream(keys_.stream, at, static_cast<uint8_t*>(to), n);
  return true;
}

bool DocumentIndex::load() {
  Layout layout;
  if (!readBody(0, &layout, sizeof layout)) return false;
  const uint64_t body = fileBytes_ - kHeaderBytes;
  const auto inside = [&](uint64_t at, uint64_t count, uint64_t width) { return at <= body && count <= (body - at) / width; };
  if (!inside(layout.metaAt, layout.metaBytes, 1) || layout.metaBytes > kMaxMeta || layout.bloomBlocks == 0 ||
      !inside(layout.bloomAt, layout.bloomBlocks, 32) || layout.buckets == 0 || layout.buckets >= UINT32_MAX ||
      !inside(layout.firstsAt, layout.buckets + 1, 4) || layout.entries >= UINT32_MAX ||
      !inside(layout.entriesAt, layout.entries, kEntryBytes))
    return false;
  wholeFiles_ = layout.wholeFiles != 0;
  std::string meta(layout.metaBytes, 0);
  if (!readBody(layout.metaAt, &meta[0], meta.size())) return false;
  MetaReader reader{meta};
  const uint64_t documents = reader.number(4);
  for (uint64_t i = 0; i < documents && reader.good; i++) {
    DocumentMeta document;
    document.name = reader.text(static_cast<size_t>(reader.number(2)));
    document.windows = static_cast<uint32_t>(reader.number(4));
    document.characters = reader.number(8);
    documents_.push_back(std::move(document));
  }
  const uint64_t groups = reader.number(4);
  for (uint64_t i = 0; i < groups && reader.good; i++) {
    std::vector<uint32_t> group(static_cast<size_t>(reader.number(2)));
    for (uint32_t& document : group) {
      document = static_cast<uint32_t>(reader.number(4));
      if (document >= documents) return false;
    }
    groups_.push_back(std::move(group));
  }
  if (!reader.good) return false;
  bloomBlocks_ = layout.bloomBlocks;
  bloom_.resize(bloomBlocks_);
  firsts_.resize(layout.buckets + 1);
  entryCount_ = layout.entries;
  entriesAt_ = layout.entriesAt;
  if (!readBody(layout.bloomAt, bloom_.data(), bloom_.size() * 32) || !readBody(layout.firstsAt, firsts_.data(), firsts_.size() * 4)) return false;
  for (size_t i = 0; i + 1 < firsts_.size(); i++)
    if (firsts_[i] > firsts_[i + 1]) return false;
  return firsts_.back() == entryCount_;
}

bool DocumentIndex::find(uint64_t digest, uint32_t* entry, uint32_t* ref) const {
  const size_t bucket = bucketOf(digest, firsts_.size() - 1);
  uint8_t bytes[64 * kEntryBytes];
  for (uint32_t first = firsts_[bucket]; first < firsts_[bucket + 1]; first += 64) {
    const uint32_t count = std::min<uint32_t>(64, firsts_[bucket + 1] - first);
    if (!readBody(entriesAt_ + static_cast<uint64_t>(first) * kEntryBytes, bytes, count * kEntryBytes)) return false;
    for (uint32_t i = 0; i < count; i++) {
      if (loadWord(bytes + i * kEntryBytes) != digest) continue;
      *entry = first + i;
      memcpy(ref, bytes + i * kEntryBytes + 8, 4);
      const uint32_t limit = static_cast<uint32_t>((*ref & kGroupFlag) != 0 ? groups_.size() : wholeFiles_ ? UINT32_MAX : documents_.size());
      return (*ref & ~kGroupFlag) < limit;
    }
  }
  return false;
}

double DocumentIndex::measuredRate() const {
  uint64_t state = 0x243F6A8885A308D3ull, passed = 0;
  constexpr uint64_t kProbes = 100000;
  for (uint64_t i = 0; i < kProbes; i++) {
    state = mix(state + 0x9E3779B97F4A7C15ull, 0xD6E8FEB86659FD93ull) + i;
    passed += mayHold(mix(state ^ i << 32, 0x9E3779B97F4A7C15ull));
  }
  return static_cast<double>(passed) / kProbes;
}

}  // namespace sentinel::dlp
