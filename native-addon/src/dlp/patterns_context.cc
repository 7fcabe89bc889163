#include "dlp/patterns_context.h"

#include <algorithm>

namespace sentinel::dlp {
namespace {

constexpr size_t kStretch = 1024;

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

std::vector<ContextPlaces::Place>::const_iterator firstPlace(const std::vector<ContextPlaces::Place>& places, uint64_t from) {
  return std::lower_bound(places.begin(), places.end(), from, [](const ContextPlaces::Place& place, uint64_t at) { return place.at < at; });
}

// Whether text[0, length) goes on at `at` with the word, whatever its case.
bool beginsWith(const uint8_t* text, size_t length, size_t at, const std::string& word, std::string* scratch) {
  if (length - at < word.size()) return false;
  for (size_t i = 0; i < word.size(); i++) {
    const uint8_t c = text[at + i];
    if (c >= 0x80) {
      // The case of such a character is in more than one byte.
      scratch->clear();
      appendLower(text + at, word.size(), scratch);
      return *scratch == word;
    }
    if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != static_cast<uint8_t>(word[i])) return false;
  }
  return true;
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

void ContextPlaces::forget(uint64_t before) {
  places.erase(places.begin(), firstPlace(places, before));
  from = std::max(from, before);
  to = std::max(to, from);
}

// Words whose first byte, in lower case, is that of the character at `at`.
const std::vector<uint16_t>& ContextWords::startingAs(const uint8_t* text, size_t length, size_t at) const {
  uint8_t first = text[at];
  if (first >= 'A' && first <= 'Z') first = static_cast<uint8_t>(first + 32);
  // Capitals whose small letters have another lead (see appendLower).
  if (first == 0xD0 && at + 1 < length && text[at + 1] >= 0xA0 && text[at + 1] <= 0xAF) first = 0xD1;
  if (first == 0xCE && at + 1 < length && text[at + 1] >= 0xA0 && text[at + 1] <= 0xA9) first = 0xCF;
  return byFirst_[first];
}

// Whether a word stands at `at`, alone; *behind is then where the longest such ends.
bool ContextWords::stands(const uint8_t* text, size_t length, size_t at, std::string* scratch, size_t* behind) const {
  for (const uint16_t index : startingAs(text, length, at)) {
    const std::string& word = words_[index];
    // Of several the longest is nearest to what follows.
    if (beginsWith(text, length, at, word, scratch) && standsAlone(text, length, at, word.size())) *behind = std::max(*behind, at + word.size());
  }
  return *behind > at;
}

// Adds the places of text[from, to) where a word stands, alone or not, to those known.
void ContextWords::look(const uint8_t* text, size_t length, uint64_t base, size_t from, size_t to, bool portable, ContextPlaces* known, std::string* scratch) const {
  for (size_t at = from; (at = filter_.next(text, at, to, length, portable)) < to; at++) {
    bool any = false, alone = false;
    for (const uint16_t index : startingAs(text, length, at)) {
      if (!beginsWith(text, length, at, words_[index], scratch)) continue;
      any = true;
      alone = alone || standsAlone(text, length, at, words_[index].size());
    }
    if (any) known->places.push_back({base + at, alone});
  }
}

bool ContextWords::near(const uint8_t* text, size_t length, uint64_t base, size_t from, size_t begin, size_t end, size_t to, uint32_t tokens, bool portable, ContextPlaces* known,
                        std::string* scratch) const {
  if (words_.empty()) return false;
  if (base + from < known->from || base + from > known->to) {
    known->clear();
    known->from = known->to = base + from;
  }
  // Whole stretches, not the few bytes since the last hit. The last places are looked at again when all the bytes are
  // there that may be theirs.
  const size_t looked = static_cast<size_t>(known->to - base), wanted = looked < to ? std::max(to, looked + kStretch) : to;
  const size_t whole = std::max(looked, std::min(wanted, length > longest_ + 1 ? length - longest_ - 1 : 0));
  look(text, length, base, looked, whole, portable, known, scratch);
  known->to = base + whole;
  const size_t sure = known->places.size();
  if (whole < to) look(text, length, base, whole, to, portable, known, scratch);
  const bool found = nearKnown(text, base, from, begin, end, to, tokens, *known, scratch);
  known->places.resize(sure);
  return found;
}

bool ContextWords::nearKnown(const uint8_t* text, uint64_t base, size_t from, size_t begin, size_t end, size_t to, uint32_t tokens, const ContextPlaces& known, std::string* scratch) const {
  const auto firstBehind = firstPlace(known.places, base + begin);
  const uint8_t* before = text + from;
  const size_t beforeLength = begin - from;
  for (auto place = firstBehind; place != known.places.begin() && (place - 1)->at >= base + from; place--) {
    const size_t at = static_cast<size_t>((place - 1)->at - base) - from;
    size_t behind = at;
    if (!maybeAlone(*(place - 1), at, beforeLength) || !stands(before, beforeLength, at, scratch, &behind)) continue;
    if (wordsIn(before, behind, beforeLength, tokens) <= tokens) return true;
    // Farther away there are too many words between, however long they are.
    if (at + longest_ < beforeLength && wordsIn(before, at + longest_, beforeLength, tokens) > tokens) break;
  }
  const uint8_t* after = text + end;
  const size_t afterLength = to - end;
  for (auto place = firstPlace(known.places, base + end); place != known.places.end() && place->at < base + to; place++) {
    const size_t at = static_cast<size_t>(place->at - base) - end;
    size_t behind = at;
    // What stands farther on has more words before it.
    if (maybeAlone(*place, at, afterLength) && stands(after, afterLength, at, scratch, &behind)) return wordsIn(after, 0, at, tokens) <= tokens;
  }
  return false;
}

}  // namespace sentinel::dlp
