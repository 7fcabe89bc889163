// Index files that were changed by somebody who has the key: encrypted, hashed and sealed again after the change, so that
// what is read behind the checks is what the input says. Either the file is refused or it is opened and used. Without
// the key a changed file is always refused.
#include <cstring>

#include "dlp/document_build.h"
#include "dlp/document_detector.h"
#include "harness.h"
#include "tables.h"

extern "C" {
#include "blake3/blake3.h"
}

using namespace sentinel::dlp;

namespace {

using Bytes = std::vector<uint8_t>;

std::string proseOf() {
  std::string text;
  for (int i = 0; i < 400; i++) text += "the plan of month " + std::to_string(i * 7919 % 1000) + " says " + std::to_string(i) + ", ";
  return text;
}

int documentsFile() {
  DocumentBuilder builder(fuzz::kKey, fuzz::kSalt);
  const std::string text = proseOf();
  for (const char* name : {"one", "two"}) {
    builder.begin(name);
    builder.feed(reinterpret_cast<const uint8_t*>(text.data()), text.size() / (name[0] == 'o' ? 1 : 2));
    builder.endStream();
  }
  DocumentReport report;
  const int fd = fuzz::memoryFile(nullptr, 0);
  if (!builder.write(fd, 1, &report).empty() || report.kept == 0) std::abort();
  return fd;
}

int listFile() {
  DocumentBuilder builder(fuzz::kKey, fuzz::kSalt);
  for (int i = 0; i < 3; i++) {
    uint8_t hash[32];
    blake3_hasher hasher;
    blake3_hasher_init(&hasher);
    blake3_hasher_update(&hasher, fuzz::kRows, static_cast<size_t>(i) * 100);
    blake3_hasher_finalize(&hasher, hash, sizeof hash);
    builder.addHash(hash, "file");
  }
  DocumentReport report;
  const int fd = fuzz::memoryFile(nullptr, 0);
  if (!builder.write(fd, 1, &report).empty()) std::abort();
  return fd;
}

Bytes readAll(int fd) {
  Bytes bytes(static_cast<size_t>(lseek(fd, 0, SEEK_END)));
  if (pread(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  close(fd);
  return bytes;
}

const IndexKeys& keys() {
  static const IndexKeys derived = deriveKeys(fuzz::kKey, fuzz::kSalt);
  return derived;
}

// Headers as the builder leaves them, bodies in the clear.
const std::vector<Bytes>& files() {
  static const std::vector<Bytes> all = [] {
    std::vector<Bytes> made;
    for (const fuzz::Table& table : fuzz::tables()) made.push_back(readAll(fuzz::tableFile(table)));
    for (const int fd : {documentsFile(), listFile()}) {
      fuzz::seal(fd);
      made.push_back(readAll(fd));
    }
    for (Bytes& file : made) applyKeystream(keys().stream, 0, file.data() + kHeaderBytes, file.size() - kHeaderBytes);
    return made;
  }();
  return all;
}

void encryptAndSeal(Bytes* file) {
  uint8_t* header = file->data();
  applyKeystream(keys().stream, 0, header + kHeaderBytes, file->size() - kHeaderBytes);
  const uint64_t size = file->size();
  std::memcpy(header + 64, &size, 8);
  blake3_hasher hasher;
  blake3_hasher_init(&hasher);
  blake3_hasher_update(&hasher, header + kHeaderBytes, file->size() - kHeaderBytes);
  blake3_hasher_finalize(&hasher, header + 72, 32);
  const Digest mac = macOf(keys(), header, kHeaderMacAt);
  std::memcpy(header + kHeaderMacAt, mac.bytes, 32);
  const Digest sealed = macOf(keys(), header, kHeaderSealAt);
  std::memcpy(header + kHeaderSealAt, sealed.bytes, 32);
}

std::shared_ptr<const Source> openAny(const Bytes& file, bool measure) {
  const int fd = fuzz::memoryFile(file.data(), file.size());
  OpenError error = OpenError::kNone;
  std::string detail;
  if (file.size() >= 8 && std::memcmp(file.data(), "SDLPIDX1", 8) == 0) {
    const auto index = Index::open(fd, fuzz::kKey, &error, &detail);
    if ((index == nullptr) != (error != OpenError::kNone)) std::abort();
    if (index && measure && !(index->measuredRate() <= 1)) std::abort();
    return index ? edmSource(index) : nullptr;
  }
  const auto index = DocumentIndex::open(fd, fuzz::kKey, &error, &detail);
  if ((index == nullptr) != (error != OpenError::kNone)) std::abort();
  if (index && measure && !(index->measuredRate() <= 1)) std::abort();
  return index ? documentSource(index) : nullptr;
}

}  // namespace

// which file, how; then changes: place u16 (or from the end), length u8, so many bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Bytes& whole = files()[data[0] % files().size()];
  const uint8_t how = data[1];
  Bytes file = whole;
  const bool withKey = (how & 3) != 0;
  if (!withKey) applyKeystream(keys().stream, 0, file.data() + kHeaderBytes, file.size() - kHeaderBytes);
  const Bytes before = file;
  const size_t first = withKey ? kHeaderBytes : 0;
  for (size_t at = 2; at + 3 <= size;) {
    const size_t place = static_cast<size_t>(data[at]) | static_cast<size_t>(data[at + 1]) << 8;
    size_t n = data[at + 2] % 65;
    at += 3;
    n = std::min(n, size - at);
    const size_t to = first + place % (file.size() - first);
    // A change of no length cuts the file off.
    if (n == 0) {
      file.resize(std::max(to, first + 1));
      break;
    }
    std::memcpy(file.data() + to, data + at, std::min(n, file.size() - to));
    at += n;
  }
  if (withKey) encryptAndSeal(&file);
  const auto source = openAny(file, how == 0xFF);
  if (!withKey && source && file != before) std::abort();
  if (!source) return 0;
  static const std::string text = std::string(fuzz::kRows) + proseOf().substr(0, 3000);
  fuzz::compare(*source, reinterpret_cast<const uint8_t*>(text.data()), text.size());
  // A list of whole files knows this one.
  fuzz::compare(*source, reinterpret_cast<const uint8_t*>(fuzz::kRows), 100);
  return 0;
}
