// Collects the windows of protected documents and decides which of them say something.
//
// Not kept: windows of a text that the user calls boilerplate, and windows that stand in kCommonFamilies or more
// unrelated documents (document_shared.h). Documents that share at least half of their windows (versions of one) are one
// family: what their versions have in common is theirs. Memory: the letters and digits of all
// texts and, when the index is written, some 140 bytes per window: about six bytes for each letter or digit in all.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "dlp/document_index.h"
#include "dlp/document_shared.h"
#include "dlp/winnow.h"

namespace sentinel::dlp {

constexpr uint64_t kMaxLetters = 2ull << 30;

struct DocumentReport {
  uint64_t documents = 0, windows = 0, kept = 0, boilerplate = 0, common = 0;
  struct Document {
    uint64_t characters = 0;
    uint32_t windows = 0, kept = 0;
  };
  std::vector<Document> each;
};

class DocumentBuilder final : private TextSink, private WindowSink {
 public:
  DocumentBuilder(const Key& master, const uint8_t salt[32]);
  ~DocumentBuilder();
  // A document begins; with an empty name it is boilerplate. Its parts follow by feed() and end().
  void begin(const std::string& name);
  void feed(const uint8_t* bytes, size_t n);
  // The end of a stream (a file, a member of a container): what follows belongs to the same document.
  void endStream();
  void end();
  // The hash of a whole file of a list, with its line.
  void addHash(const uint8_t hash[32], const std::string& name);
  // Returns what went wrong, or "".
  std::string write(int fd, uint64_t createdMs, DocumentReport* report);

 private:
  struct Text {
    uint32_t document;
    std::vector<uint8_t> letters;
  };
  struct Window {
    uint64_t digest;
    uint32_t text, at;
  };
  void text(const uint8_t* utf8, size_t n, const OffsetMap& map) override;
  void letters(const uint8_t* letters, size_t n) override;
  void windows(const uint8_t* text, const uint32_t* positions, size_t count) override;
  void addWindows(const std::vector<uint8_t>& letters);
  uint32_t documentOf(const Window& window) const { return texts_[window.text].document; }
  template <typename With>
  void eachWindow(const With& with) const;
  void select(DocumentReport* report);
  std::vector<uint32_t> families(const SharedWindows& shared, const DocumentReport& report) const;
  SharedWindows::Standing standing(const SharedWindows& shared, size_t from, size_t to) const;
  void keep(uint64_t digest, const Window& window, const std::vector<uint32_t>& documents);

  Key master_;
  uint8_t salt_[32];
  IndexKeys keys_;
  Decoder decoder_;
  WindowStream stream_;
  DocumentContent content_;
  uint32_t current_ = 0;
  std::vector<Text> texts_;       // what ended
  std::vector<uint8_t> letters_;  // of the text that has not ended
  std::vector<uint32_t> selected_;
  std::vector<Window> windows_;   // of all documents
  uint64_t taken_ = 0;            // letters of all texts
  bool full_ = false;
  std::unordered_map<std::string, uint32_t> groupNumbers_;
};

}  // namespace sentinel::dlp
