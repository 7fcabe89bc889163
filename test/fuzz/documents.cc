// The document detector: against an index of a text that the inputs can contain, and an index file made of the input.
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "dlp/document_build.h"
#include "dlp/document_detector.h"
#include "harness.h"

using namespace sentinel::dlp;

namespace {

const Key kKey{{1, 2, 3}};
const uint8_t kSalt[32] = {9};

int indexFile() {
  DocumentBuilder builder(kKey, kSalt);
  std::string text;
  for (int i = 0; i < 400; i++) text += "the plan of month " + std::to_string(i * 7919 % 1000) + " says " + std::to_string(i) + ", ";
  for (const char* name : {"one", "two"}) {
    builder.begin(name);
    builder.feed(reinterpret_cast<const uint8_t*>(text.data()), text.size() / (name[0] == 'o' ? 1 : 2));
    builder.endStream();
  }
  DocumentReport report;
  const int fd = memfd_create("index", 0);
  if (fd < 0 || !builder.write(fd, 1, &report).empty() || report.kept == 0) std::abort();
  return fd;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const Source> source = [] {
    OpenError error;
    std::string detail;
    const auto index = DocumentIndex::open(indexFile(), kKey, &error, &detail);
    if (!index) std::abort();
    return documentSource(index);
  }();
  fuzz::compare(*source, data, size);
  // Bytes of the input over those of a file: it is refused, or opened and used.
  if (size < 8 || data[5] % 4 != 0) return 0;
  static const std::vector<uint8_t> good = [] {
    const int fd = indexFile();
    std::vector<uint8_t> bytes(static_cast<size_t>(lseek(fd, 0, SEEK_END)));
    if (pread(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
    close(fd);
    return bytes;
  }();
  const int fd = memfd_create("changed", 0);
  if (pwrite(fd, good.data(), good.size(), 0) < 0) std::abort();
  uint32_t at;
  std::memcpy(&at, data, 4);
  const off_t length = lseek(fd, 0, SEEK_END);
  if (pwrite(fd, data + 4, size - 4, at % length) < 0 || ((data[0] & 3) == 0 && ftruncate(fd, at % length) != 0)) std::abort();
  OpenError error = OpenError::kNone;
  std::string detail;
  const auto changed = DocumentIndex::open(fd, kKey, &error, &detail);
  if (changed) fuzz::compare(*documentSource(changed), data, size);
  return 0;
}
