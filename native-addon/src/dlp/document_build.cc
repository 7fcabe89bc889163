#include "dlp/document_build.h"

#include <string.h>

#include <algorithm>

namespace sentinel::dlp {
namespace {

constexpr uint32_t kBoilerplate = 0x7FFFFFFF;
// Of windows in more documents than this, pairs are not counted: they are common anyway, or all of one family.
constexpr size_t kMaxPairs = 24;

// Families: documents joined by what they share.
class Families {
 public:
  explicit Families(size_t count) : parent_(count) {
    for (size_t i = 0; i < count; i++) parent_[i] = static_cast<uint32_t>(i);
  }
  uint32_t of(uint32_t document) {
    while (parent_[document] != document) document = parent_[document] = parent_[parent_[document]];
    return document;
  }
  void join(uint32_t a, uint32_t b) { parent_[of(a)] = of(b); }

 private:
  std::vector<uint32_t> parent_;
};

}  // namespace

DocumentBuilder::DocumentBuilder(const Key& master, const uint8_t salt[32]) : master_(master), keys_(deriveKeys(master, salt)), stream_(keys_.seeds, false) {
  memcpy(salt_, salt, sizeof salt_);
}

DocumentBuilder::~DocumentBuilder() {
  explicit_bzero(master_.data(), master_.size());
  explicit_bzero(&keys_, sizeof keys_);
}

void DocumentBuilder::begin(const std::string& name) {
  if (name.empty()) {
    current_ = kBoilerplate;
  } else {
    current_ = static_cast<uint32_t>(content_.documents.size());
    content_.documents.push_back({name, 0, 0});
  }
}

void DocumentBuilder::feed(const uint8_t* bytes, size_t n) { decoder_.feed(bytes, n, false, *this); }

void DocumentBuilder::endStream() {
  decoder_.feed(nullptr, 0, true, *this);
  if (current_ != kBoilerplate) content_.documents[current_].characters += stream_.characters();
  decoder_.reset();
  stream_.reset();
}

void DocumentBuilder::end() { endStream(); }

void DocumentBuilder::addHash(const uint8_t hash[32], const std::string& name) {
  uint8_t window[kWindowBytes];
  padFileHash(hash, window);
  const uint8_t* const windows[] = {window};
  uint64_t digest;
  digestWindows(keys_.primary, windows, 1, &digest);
  content_.wholeFiles = true;
  content_.entries.push_back({digest, fastWindowHash(keys_.seeds, window), static_cast<uint32_t>(content_.documents.size())});
  content_.documents.push_back({name, 1, 0});
}

void DocumentBuilder::text(const uint8_t* utf8, size_t n, const OffsetMap& map) { stream_.feed(utf8, n, map, *this); }

void DocumentBuilder::windows(const uint8_t* text, const uint32_t* positions, size_t count) {
  if (content_.entries.size() + count > kMaxWindows) {
    full_ = true;
    return;
  }
  for (size_t from = 0; from < count; from += kBatch) {
    const size_t n = std::min(kBatch, count - from);
    const uint8_t* batch[kBatch];
    uint64_t digests[kBatch];
    for (size_t i = 0; i < n; i++) batch[i] = text + positions[from + i];
    digestWindows(keys_.primary, batch, n, digests);
    for (size_t i = 0; i < n; i++) content_.entries.push_back({digests[i], fastWindowHash(keys_.seeds, batch[i]), current_});
  }
}

void DocumentBuilder::select(DocumentReport* report) {
  auto& entries = content_.entries;
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.digest != b.digest ? a.digest < b.digest : a.ref < b.ref; });
  entries.erase(std::unique(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.digest == b.digest && a.ref == b.ref; }), entries.end());
  report->documents = content_.documents.size();
  report->each.resize(content_.documents.size());
  for (size_t i = 0; i < content_.documents.size(); i++) report->each[i].characters = content_.documents[i].characters;
  const auto eachWindow = [&](const auto& with) {
    for (size_t i = 0; i < entries.size();) {
      size_t end = i + 1;
      while (end < entries.size() && entries[end].digest == entries[i].digest) end++;
      with(i, end);
      i = end;
    }
  };
  std::unordered_map<uint64_t, uint32_t> shared;
  eachWindow([&](size_t from, size_t to) {
    const bool boilerplate = entries[to - 1].ref == kBoilerplate;
    const size_t documents = to - from - (boilerplate ? 1 : 0);
    for (size_t i = from; i < from + documents; i++) report->each[entries[i].ref].windows++;
    if (boilerplate || documents < 2 || documents > kMaxPairs) return;
    for (size_t i = from; i < to; i++)
      for (size_t k = i + 1; k < to; k++) shared[static_cast<uint64_t>(entries[i].ref) << 32 | entries[k].ref]++;
  });
  Families families(content_.documents.size());
  for (const auto& [pair, count] : shared) {
    const uint32_t a = static_cast<uint32_t>(pair >> 32), b = static_cast<uint32_t>(pair);
    if (count * 2 >= std::min(report->each[a].windows, report->each[b].windows)) families.join(a, b);
  }
  std::vector<DocumentContent::Entry> kept;
  eachWindow([&](size_t from, size_t to) {
    if (entries[from].ref == kBoilerplate) return;
    report->windows += to - from;
    if (entries[to - 1].ref == kBoilerplate) {
      report->windows--;
      report->boilerplate++;
      return;
    }
    std::vector<uint32_t> seen;
    for (size_t i = from; i < to && seen.size() < kCommonFamilies; i++) {
      const uint32_t family = families.of(entries[i].ref);
      if (std::find(seen.begin(), seen.end(), family) == seen.end()) seen.push_back(family);
    }
    if (seen.size() >= kCommonFamilies || to - from > UINT16_MAX) {
      report->common++;
      return;
    }
    DocumentContent::Entry entry = entries[from];
    for (size_t i = from; i < to; i++) {
      report->each[entries[i].ref].kept++;
      content_.documents[entries[i].ref].windows++;
    }
    if (to - from > 1) {
      std::vector<uint32_t> group;
      for (size_t i = from; i < to; i++) group.push_back(entries[i].ref);
      // The same documents share many windows, mostly one behind the other in neither; a map keeps groups few.
      std::string key(reinterpret_cast<const char*>(group.data()), group.size() * 4);
      const auto [place, fresh] = groupNumbers_.emplace(std::move(key), static_cast<uint32_t>(content_.groups.size()));
      if (fresh) content_.groups.push_back(std::move(group));
      entry.ref = kGroupFlag | place->second;
    }
    kept.push_back(entry);
  });
  report->kept = kept.size();
  entries = std::move(kept);
}

std::string DocumentBuilder::write(int fd, uint64_t createdMs, DocumentReport* report) {
  if (full_) return "the documents have more windows than one index holds";
  if (content_.wholeFiles) {
    report->documents = report->windows = report->kept = content_.entries.size();
    // A hash that stands twice in the list is found once.
    auto& entries = content_.entries;
    std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.digest < b.digest; });
    entries.erase(std::unique(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.digest == b.digest; }), entries.end());
  } else {
    select(report);
  }
  return writeDocumentIndex(fd, master_, salt_, createdMs, &content_);
}

}  // namespace sentinel::dlp
