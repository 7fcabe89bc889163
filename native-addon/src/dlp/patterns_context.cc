#include "dlp/patterns_context.h"

#include <algorithm>

namespace sentinel::dlp {
namespace {

// Words of text[from, to): runs of word bytes; characters of scripts without spaces count one each. Stops above `most`.
uint32_t wordsIn(const uint8_t* text, size_t from, size_t to, uint32_t most) {
  uint32_t count = 0;
  bool inside = false;
  for (size_t i = from; i < to && count <= most; i++) {
    const uint8_t c = text[i];
    if (c >= 0xE3 && c <= 0xED && i + 2 < to) {
      count++;
      inside = false;
      i += 2;
    } else if (isWordByte(c)) {
      if (!inside) count++;
      inside = true;
    } else {
      inside = false;
    }
  }
  return count;
}

// Words of scripts with spaces must stand alone; others are found inside a run of characters.
bool standsAlone(const uint8_t* text, size_t textLength, size_t at, size_t length) {
  if (isSpacedLetter(text, textLength, at) && isSpacedLetterBefore(text, at)) return false;
  return !(isSpacedLetterBefore(text, at + length) && isSpacedLetter(text, textLength, at + length));
}

// How much of text[0, n) holds the first `words` runs of word bytes and the beginning of the next.
size_t reach(const uint8_t* text, size_t n, uint32_t words) {
  bool inside = false;
  for (size_t i = 0; i < n; i++) {
    const bool word = isWordByte(text[i]);
    if (word && !inside && words-- == 0) return i;
    inside = word;
  }
  return n;
}

// The same from the end of text[0, n) towards its beginning; returns where it begins.
size_t reachBack(const uint8_t* text, size_t n, uint32_t words) {
  bool inside = false;
  for (size_t i = n; i > 0; i--) {
    const bool word = isWordByte(text[i - 1]);
    if (word && !inside && words-- == 0) return i;
    inside = word;
  }
  return 0;
}

}  // namespace

void appendLower(const uint8_t* text, size_t n, std::string* out) {
  for (size_t i = 0; i < n; i++) {
    const uint8_t c = text[i];
    const uint8_t before = out->empty() ? 0 : static_cast<uint8_t>(out->back());
    if (c >= 'A' && c <= 'Z') {
      out->push_back(static_cast<char>(c + 32));
    } else if (before == 0xC3 && c >= 0x80 && c <= 0x9E && c != 0x97) {
      out->push_back(static_cast<char>(c + 32));
    } else if (before == 0xD0 && c >= 0x90 && c <= 0x9F) {
      out->push_back(static_cast<char>(c + 32));
    } else if (before == 0xD0 && c >= 0xA0 && c <= 0xAF) {
      out->back() = static_cast<char>(0xD1);
      out->push_back(static_cast<char>(c - 32));
    } else if (before == 0xCE && c >= 0x91 && c <= 0x9F) {
      out->push_back(static_cast<char>(c + 32));
    } else if (before == 0xCE && c >= 0xA0 && c <= 0xA9) {
      out->back() = static_cast<char>(0xCF);
      out->push_back(static_cast<char>(c - 32));
    } else {
      out->push_back(static_cast<char>(c));
    }
  }
}

ContextWords::ContextWords(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word.empty()) continue;
    words_.emplace_back();
    appendLower(reinterpret_cast<const uint8_t*>(word.data()), word.size(), &words_.back());
  }
  // Buckets of words that begin alike let the fewest places through.
  std::sort(words_.begin(), words_.end());
  words_.erase(std::unique(words_.begin(), words_.end()), words_.end());
  for (size_t i = 0; i < words_.size(); i++) {
    const std::string& word = words_[i];
    longest_ = std::max(longest_, word.size());
    byFirst_[static_cast<uint8_t>(word[0])].push_back(static_cast<uint16_t>(i));
    const int bucket = static_cast<int>(i * PlaceFilter::kBuckets / words_.size());
    for (size_t place = 0; place < PlaceFilter::kPlaces; place++) {
      if (place >= word.size()) {
        filter_.allowAll(bucket, static_cast<int>(place));
        continue;
      }
      const uint8_t byte = static_cast<uint8_t>(word[place]);
      filter_.allow(bucket, static_cast<int>(place), byte);
      // What lower case makes of others: the same byte in upper case, or another lead (see appendLower).
      if (byte >= 'a' && byte <= 'z') filter_.allow(bucket, static_cast<int>(place), static_cast<uint8_t>(byte - 32));
      if (byte == 0xD1 || byte == 0xCF) filter_.allow(bucket, static_cast<int>(place), static_cast<uint8_t>(byte - 1));
      if (byte >= 0x80 && byte < 0xC0) {
        filter_.allow(bucket, static_cast<int>(place), byte ^ 0x20);
      }
    }
  }
  filter_.prepare();
}

// Whether a word stands at `at`, alone; *behind is then where the first such ends.
bool ContextWords::stands(const uint8_t* text, size_t length, size_t at, std::string* scratch, size_t* behind) const {
  scratch->clear();
  appendLower(text + at, std::min(longest_, length - at), scratch);
  for (const uint16_t index : byFirst_[static_cast<uint8_t>((*scratch)[0])]) {
    const std::string& word = words_[index];
    if (scratch->compare(0, word.size(), word) != 0 || scratch->size() < word.size() || !standsAlone(text, length, at, word.size())) continue;
    // Of several the longest is nearest to what follows.
    *behind = std::max(*behind, at + word.size());
  }
  return *behind > at;
}

bool ContextWords::near(const uint8_t* text, size_t from, size_t begin, size_t end, size_t to, uint32_t tokens, bool portable, std::string* scratch) const {
  if (words_.empty()) return false;
  // Farther away there are too many words between.
  const uint8_t* before = text + from;
  const size_t beforeLength = begin - from, nearest = reachBack(before, beforeLength, tokens + 1);
  for (size_t at = nearest > longest_ ? nearest - longest_ : 0; at < beforeLength; at++) {
    at = filter_.next(before, at, beforeLength, beforeLength, portable);
    size_t behind = at;
    if (at < beforeLength && stands(before, beforeLength, at, scratch, &behind) && wordsIn(before, behind, beforeLength, tokens) <= tokens) return true;
  }
  const uint8_t* after = text + end;
  const size_t afterLength = to - end, farthest = reach(after, afterLength, tokens + 1);
  for (size_t at = 0; at < farthest; at++) {
    at = filter_.next(after, at, farthest, afterLength, portable);
    size_t behind = at;
    if (at < farthest && stands(after, afterLength, at, scratch, &behind)) return wordsIn(after, 0, at, tokens) <= tokens;
  }
  return false;
}

}  // namespace sentinel::dlp
