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
  for (Text& text : texts_) explicit_bzero(text.letters.data(), text.letters.size());
  if (!letters_.empty()) explicit_bzero(letters_.data(), letters_.size());
  explicit_bzero(master_.data(), master_.size());
  explicit_bzero(&keys_, sizeof keys_);
}

void DocumentBuilder::begin(const std::string& name) {
  endStream();
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
  if (current_ != kBoilerplate && !content_.documents.empty()) {
    content_.documents[current_].characters += stream_.characters();
    addWindows(letters_);
  }
  // What is shorter than a window has nothing in common with any.
  if (letters_.size() >= kWindowBytes && !full_) {
    letters_.shrink_to_fit();
    texts_.push_back({current_, std::move(letters_)});
  }
  letters_.clear();
  selected_.clear();
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

void DocumentBuilder::letters(const uint8_t* letters, size_t n) {
  taken_ += n;
  full_ = full_ || taken_ > kMaxLetters;
  if (!full_) letters_.insert(letters_.end(), letters, letters + n);
}

void DocumentBuilder::windows(const uint8_t*, const uint32_t* positions, size_t count) {
  if (full_ || current_ == kBoilerplate) return;
  for (size_t i = 0; i < count; i++) selected_.push_back(static_cast<uint32_t>(stream_.positionOf(positions[i])));
}

// Of the text that ends, which will be the next of texts_.
void DocumentBuilder::addWindows(const std::vector<uint8_t>& letters) {
  if (full_) return;
  for (size_t from = 0; from < selected_.size(); from += kBatch) {
    const size_t n = std::min(kBatch, selected_.size() - from);
    const uint8_t* batch[kBatch];
    uint64_t digests[kBatch];
    for (size_t i = 0; i < n; i++) batch[i] = letters.data() + selected_[from + i];
    digestWindows(keys_.primary, batch, n, digests);
    for (size_t i = 0; i < n; i++) windows_.push_back({digests[i], static_cast<uint32_t>(texts_.size()), selected_[from + i]});
  }
}

// Calls with(from, to, documents) for every window: where it stands in windows_, and its documents in rising order.
template <typename With>
void DocumentBuilder::eachWindow(const With& with) const {
  std::vector<uint32_t> documents;
  for (size_t from = 0, to; from < windows_.size(); from = to) {
    documents.clear();
    for (to = from; to < windows_.size() && windows_[to].digest == windows_[from].digest; to++)
      if (documents.empty() || documents.back() != documentOf(windows_[to])) documents.push_back(documentOf(windows_[to]));
    with(from, to, documents);
  }
}

// It says nothing where it does not at one of its places.
SharedWindows::Standing DocumentBuilder::standing(const SharedWindows& shared, size_t from, size_t to) const {
  SharedWindows::Standing most = SharedWindows::kOwn;
  for (size_t i = from; i < to; i++) {
    const std::vector<uint8_t>& letters = texts_[windows_[i].text].letters;
    most = std::max(most, shared.of(letters.data(), letters.size(), windows_[i].at));
  }
  return most;
}

// The family of each document.
std::vector<uint32_t> DocumentBuilder::families(const SharedWindows& shared, const DocumentReport& report) const {
  std::unordered_map<uint64_t, uint32_t> common;
  eachWindow([&](size_t from, size_t to, const std::vector<uint32_t>& documents) {
    if (documents.size() < 2 || documents.size() > kMaxPairs || standing(shared, from, to) != SharedWindows::kOwn) return;
    for (size_t i = 0; i < documents.size(); i++)
      for (size_t k = i + 1; k < documents.size(); k++) common[static_cast<uint64_t>(documents[i]) << 32 | documents[k]]++;
  });
  Families families(content_.documents.size());
  for (const auto& [pair, count] : common) {
    const uint32_t a = static_cast<uint32_t>(pair >> 32), b = static_cast<uint32_t>(pair);
    if (count * 2 >= std::min(report.each[a].windows, report.each[b].windows)) families.join(a, b);
  }
  std::vector<uint32_t> each(content_.documents.size());
  for (size_t i = 0; i < each.size(); i++) each[i] = families.of(static_cast<uint32_t>(i));
  return each;
}

void DocumentBuilder::keep(uint64_t digest, const Window& window, const std::vector<uint32_t>& documents) {
  DocumentContent::Entry entry{digest, fastWindowHash(keys_.seeds, texts_[window.text].letters.data() + window.at), documents[0]};
  if (documents.size() > 1) {
    // The same documents share many windows, mostly one behind the other in neither; a map keeps groups few.
    std::string key(reinterpret_cast<const char*>(documents.data()), documents.size() * 4);
    const auto [place, fresh] = groupNumbers_.emplace(std::move(key), static_cast<uint32_t>(content_.groups.size()));
    if (fresh) content_.groups.push_back(documents);
    entry.ref = kGroupFlag | place->second;
  }
  content_.entries.push_back(entry);
}

void DocumentBuilder::select(DocumentReport* report) {
  std::sort(windows_.begin(), windows_.end(), [&](const Window& a, const Window& b) {
    return a.digest != b.digest ? a.digest < b.digest : documentOf(a) < documentOf(b);
  });
  report->documents = content_.documents.size();
  report->each.resize(content_.documents.size());
  for (size_t i = 0; i < content_.documents.size(); i++) report->each[i].characters = content_.documents[i].characters;
  eachWindow([&](size_t, size_t, const std::vector<uint32_t>& documents) {
    for (const uint32_t document : documents) report->each[document].windows++;
  });
  SharedWindows shared(keys_.seeds, windows_.size());
  for (const Window& window : windows_) {
    const std::vector<uint8_t>& letters = texts_[window.text].letters;
    shared.expect(letters.data(), letters.size(), window.at);
  }
  shared.seal();
  for (const Text& text : texts_)
    if (text.document == kBoilerplate) shared.seeBoilerplate(text.letters.data(), text.letters.size());
  const std::vector<uint32_t> family = families(shared, *report);
  for (const Text& text : texts_)
    if (text.document != kBoilerplate) shared.seeDocument(text.letters.data(), text.letters.size(), family[text.document]);
  eachWindow([&](size_t from, size_t to, const std::vector<uint32_t>& documents) {
    report->windows += documents.size();
    switch (standing(shared, from, to)) {
      case SharedWindows::kBoilerplate:
        report->boilerplate++;
        return;
      case SharedWindows::kCommon:
        report->common++;
        return;
      case SharedWindows::kOwn:
        break;
    }
    if (documents.size() > UINT16_MAX) {
      report->common++;
      return;
    }
    for (const uint32_t document : documents) {
      report->each[document].kept++;
      content_.documents[document].windows++;
    }
    keep(windows_[from].digest, windows_[from], documents);
  });
  report->kept = content_.entries.size();
}

std::string DocumentBuilder::write(int fd, uint64_t createdMs, DocumentReport* report) {
  endStream();
  if (full_) return "the documents have more text than one index holds";
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
