// Fingerprints of protected documents, file format SDLPDOC1, and of whole files, SDLPLST1. Little-endian.
//
//   header, 256 bytes: that of edm_index.h, its seal too, with this magic
//   body, XORed with a keystream of the key and the salt: prologue (16 u64: Layout), then
//     meta       names of documents, how many windows and characters each has; groups of documents that share windows
//     bloom      split-block Bloom filter over a fast keyed hash of the windows, 32-byte blocks, about 12 bits each
//     directory  first entry of each bucket u32, and the end
//     entries    sorted by digest: digest u64 (keyed BLAKE3 of the window), reference u32
// A reference is a document, or with its highest bit a group. For whole files the digest is of the file's BLAKE3 hash
// and the reference is the line of the list.
//
// Limits: 2^31 documents, 2^32 - 2 entries. Held in memory when open: meta, bloom, directory; entries are read.
// Invariants: the bytes of an open index never change (the builder replaces the file by rename); nothing is read before
// the whole body was hashed once.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "dlp/edm_hash.h"
#include "dlp/edm_index.h"

namespace sentinel::dlp {

constexpr size_t kEntryBytes = 12;
constexpr uint32_t kGroupFlag = 0x80000000u;
constexpr uint32_t kBucketEntries = 48;

struct DocumentMeta {
  std::string name;
  uint32_t windows = 0;  // that are in the index
  uint64_t characters = 0;
};

struct DocumentContent {
  bool wholeFiles = false;
  std::vector<DocumentMeta> documents;
  std::vector<std::vector<uint32_t>> groups;
  struct Entry {
    uint64_t digest, fast;
    uint32_t ref;
  };
  std::vector<Entry> entries;  // in any order
};

// The fast hash of a window or of a file's hash: decides only what is looked up.
uint64_t fastWindowHash(const uint64_t seeds[4], const uint8_t* bytes);
// Keyed BLAKE3 of windows of kWindowBytes, at most kBatch.
void digestWindows(const Key& key, const uint8_t* const* windows, size_t n, uint64_t* out);
// The same for a file's hash of 32 bytes, padded.
void padFileHash(const uint8_t hash[32], uint8_t window[48]);

// Writes a whole file. Returns what the system refused, or "".
std::string writeDocumentIndex(int fd, const Key& master, const uint8_t salt[32], uint64_t createdMs, DocumentContent* content);

class DocumentIndex {
 public:
  ~DocumentIndex();
  // `fd` is taken over.
  static std::shared_ptr<DocumentIndex> open(int fd, const Key& master, OpenError* error, std::string* detail);

  bool wholeFiles() const { return wholeFiles_; }
  const std::vector<DocumentMeta>& documents() const { return documents_; }
  const std::vector<std::vector<uint32_t>>& groups() const { return groups_; }
  uint64_t entries() const { return entryCount_; }
  uint64_t fileBytes() const { return fileBytes_; }
  uint64_t createdMs() const { return createdMs_; }
  const IndexKeys& keys() const { return keys_; }

  void prefetch(uint64_t hash) const { __builtin_prefetch(&bloom_[bloomBlockOf(hash, bloomBlocks_)]); }
  bool mayHold(uint64_t hash) const {
    const BloomBlock& block = bloom_[bloomBlockOf(hash, bloomBlocks_)];
    const uint32_t low = static_cast<uint32_t>(hash);
    uint32_t missing = 0;
    for (int i = 0; i < 8; i++) missing |= ~block.words[i] & (1u << (low * kBloomSalts[i] >> 27));
    return missing == 0;
  }
  // Number and reference of the entry; false if there is none.
  bool find(uint64_t digest, uint32_t* entry, uint32_t* ref) const;
  double measuredRate() const;

 private:
  DocumentIndex() = default;
  bool load();
  bool readBody(uint64_t at, void* to, size_t n) const;

  int fd_ = -1;
  bool wholeFiles_ = false;
  uint64_t fileBytes_ = 0, createdMs_ = 0, entryCount_ = 0, entriesAt_ = 0, bloomBlocks_ = 1;
  IndexKeys keys_{};
  std::vector<DocumentMeta> documents_;
  std::vector<std::vector<uint32_t>> groups_;
  std::vector<BloomBlock> bloom_;
  std::vector<uint32_t> firsts_;
};

}  // namespace sentinel::dlp
