#include "dlp/patterns_context.h"

namespace sentinel::dlp {
namespace {

// Words of text[from, to): runs of word bytes; characters of scripts without spaces count one each. Stops above `most`.
uint32_t wordsIn(const std::string& text, size_t from, size_t to, uint32_t most) {
  uint32_t count = 0;
  bool inside = false;
  for (size_t i = from; i < to && count <= most; i++) {
    const uint8_t c = static_cast<uint8_t>(text[i]);
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
bool standsAlone(const std::string& text, size_t at, size_t length) {
  const uint8_t* bytes = reinterpret_cast<const uint8_t*>(text.data());
  if (isSpacedLetter(bytes, text.size(), at) && isSpacedLetterBefore(bytes, at)) return false;
  return !(isSpacedLetterBefore(bytes, at + length) && isSpacedLetter(bytes, text.size(), at + length));
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

bool hasContext(const std::string& before, const std::string& after, const std::vector<std::string>& words, uint32_t tokens) {
  for (const std::string& word : words) {
    if (word.empty()) continue;
    // The nearest that stands alone, on either side.
    for (size_t at = before.rfind(word); at != std::string::npos; at = at == 0 ? std::string::npos : before.rfind(word, at - 1)) {
      if (wordsIn(before, at + word.size(), before.size(), tokens) > tokens) break;
      if (standsAlone(before, at, word.size())) return true;
    }
    for (size_t at = after.find(word); at != std::string::npos; at = after.find(word, at + 1)) {
      if (wordsIn(after, 0, at, tokens) > tokens) break;
      if (standsAlone(after, at, word.size())) return true;
    }
  }
  return false;
}

}  // namespace sentinel::dlp
