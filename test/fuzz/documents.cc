// The document detector against an index of a text that the inputs can contain.
#include <sys/mman.h>
#include <unistd.h>

#include "dlp/document_build.h"
#include "dlp/document_detector.h"
#include "harness.h"
#include "tables.h"

using namespace sentinel::dlp;

namespace {

int indexFile() {
  DocumentBuilder builder(fuzz::kKey, fuzz::kSalt);
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
  fuzz::seal(fd);
  return fd;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const Source> source = [] {
    OpenError error;
    std::string detail;
    const auto index = DocumentIndex::open(indexFile(), fuzz::kKey, &error, &detail);
    if (!index) std::abort();
    return documentSource(index);
  }();
  fuzz::compare(*source, data, size);
  return 0;
}
