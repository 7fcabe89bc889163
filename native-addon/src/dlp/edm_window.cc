#include "dlp/edm_window.h"

#include <string.h>

#include <algorithm>

#include "dlp/edm_candidates.h"
#include "dlp/edm_dates.h"
#include "dlp/edm_escapes.h"
#include "dlp/text.h"
#include "dlp/validators.h"

namespace sentinel::dlp {
namespace {

// Bytes read first; only when these hold too few tokens, all of kWindowBytes are.
size_t usualBytes(size_t tokens) { return std::min(kWindowBytes, 64 + tokens * 12); }


// A side that begins in the middle of a word does not count that word.
size_t skipPartWord(const uint8_t *text, size_t from, size_t to) {
  while (from < to && isContinuation(text[from])) ++from;
  if (from == 0) return from;
  size_t before = from - 1;
  while (before > 0 && from - before < 4 && isContinuation(text[before])) --before;
  uint32_t length;
  uint32_t codePoint = readCodePoint(text, from, before, &length);
  if (!isWordChar(codePoint) || isSingleToken(codePoint)) return from;
  while (from < to) {
    codePoint = readCodePoint(text, to, from, &length);
    if (!isWordChar(codePoint) || isSingleToken(codePoint)) break;
    from += length;
  }
  return from;
}

// The same at the end of a side.
size_t dropPartWord(const uint8_t *text, size_t n, size_t from, size_t to, const std::vector<Token> &tokens) {
  if (to >= n || tokens.empty() || tokens.back().end < to) return to;
  uint32_t length;
  const uint32_t next = readCodePoint(text, n, to, &length);
  if (!isContinuation(text[to]) && (!isWordChar(next) || isSingleToken(next))) return to;
  return std::max<size_t>(from, tokens.back().begin);
}

const uint8_t *bytesOf(const std::string &text) { return reinterpret_cast<const uint8_t *>(text.data()); }
bool isDigit(char byte) { return byte >= '0' && byte <= '9'; }
bool isLetter(char byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'); }

}  // namespace

void Window::fill(Side *side, const uint8_t *text, size_t from, size_t to) {
  side->text.clear();
  bool ascii = true;
  for (size_t at = from; at < to && ascii; ++at) ascii = text[at] < 0x80;
  if (ascii) {
    side->text.assign(reinterpret_cast<const char *>(text) + from, to - from);
    return;
  }
  for (size_t at = from; at < to;) {
    uint32_t length;
    const uint32_t codePoint = readCodePoint(text, to, at, &length);
    if (const uint8_t form = asciiFormOf(codePoint)) side->text.push_back(static_cast<char>(form));
    else side->text.append(reinterpret_cast<const char *>(text) + at, length);
    at += length;
  }
}

void Window::read(const IndexMeta &meta, const uint8_t *text, size_t n, size_t begin, size_t end) {
  // A token has a byte at least.
  const size_t within = meta.withinTokens ? std::min<size_t>(meta.withinTokens, kWindowBytes) : kWindowBytes;
  size_t low = begin > kWindowBytes ? begin - kWindowBytes : 0, high = std::min(n, end + kWindowBytes);
  if (meta.sameRow) {
    for (size_t at = begin; at-- > low;) {
      if (text[at] == '\n') low = at + 1;
    }
    const void *line = memchr(text + end, '\n', high - end);
    if (line) high = static_cast<size_t>(static_cast<const uint8_t *>(line) - text);
  }
  size_t beforeFrom = begin, afterTo = end;
  for (int pass = 0; pass < 2; ++pass) {
    const size_t from = pass == 0 && begin - low > usualBytes(within) ? begin - usualBytes(within) : low;
    const size_t start = skipPartWord(text, from, begin);
    if (!cutBefore(&sides_[0], text, start, begin, within) && from > low) continue;
    beforeFrom = start;
    break;
  }
  for (int pass = 0; pass < 2; ++pass) {
    const size_t to = pass == 0 && high - end > usualBytes(within) ? end + usualBytes(within) : high;
    if (!cutAfter(&sides_[1], text, n, end, to, within) && to < high) continue;
    afterTo = to;
    break;
  }
  // What is written with escapes is read a second time, without them; its last word must be whole.
  for (uint32_t length = 1; afterTo > end && afterTo < n && afterTo < high + kMaxWordBytes; afterTo += length) {
    if (!isWordChar(readCodePoint(text, n, afterTo, &length)) && !isContinuation(text[afterTo])) break;
  }
  const auto again = [&](Side *side, size_t from, size_t to) {
    side->clear();
    if (!hasEscape(text + from, to - from)) return false;
    plain_.clear();
    unescape(text + from, to - from, &plain_);
    return true;
  };
  if (again(&sides_[2], beforeFrom, begin)) cutBefore(&sides_[2], bytesOf(plain_), 0, plain_.size(), within);
  if (again(&sides_[3], end, afterTo)) cutAfter(&sides_[3], bytesOf(plain_), plain_.size(), 0, plain_.size(), within);
}

// The last `within` tokens of [from, to); false if there are fewer.
bool Window::cutBefore(Side *side, const uint8_t *text, size_t from, size_t to, size_t within) {
  side->clear();
  tokenize(text, from, to, &side->tokens, &side->folded);
  const bool enough = side->tokens.size() >= within;
  if (side->tokens.size() > within) side->tokens.erase(side->tokens.begin(), side->tokens.end() - static_cast<ptrdiff_t>(within));
  fill(side, text, side->tokens.empty() ? from : side->tokens.front().begin, to);
  return enough;
}

// The first `within` tokens of [from, to) in a text of n bytes; false if there are fewer.
bool Window::cutAfter(Side *side, const uint8_t *text, size_t n, size_t from, size_t to, size_t within) {
  side->clear();
  tokenize(text, from, to, &side->tokens, &side->folded);
  if (dropPartWord(text, n, from, to, side->tokens) < to) side->tokens.pop_back();
  const bool enough = side->tokens.size() >= within;
  if (side->tokens.size() > within) side->tokens.resize(within);
  fill(side, text, from, side->tokens.empty() ? from : side->tokens.back().end);
  return enough;
}

bool Window::words(const Side &side, uint8_t field, const WantedShapes &shapes, SecondarySink *sink) {
  std::vector<std::string> parts;
  std::string normal;
  for (size_t count = 1; count <= kMaxWords; ++count) {
    if (!hasShape(shapes, field, count)) continue;
    for (size_t first = 0; first + count <= side.tokens.size(); ++first) {
      const Token *tokens = &side.tokens[first];
      if (tokens[count - 1].foldedEnd - tokens[0].foldedAt > kMaxWordBytes) continue;
      if (count == 1) {
        normal.assign(side.folded, tokens[0].foldedAt, tokens[0].foldedEnd - tokens[0].foldedAt);
      } else {
        parts.clear();
        for (size_t i = 0; i < count; ++i) parts.push_back(side.folded.substr(tokens[i].foldedAt, tokens[i].foldedEnd - tokens[i].foldedAt));
        std::sort(parts.begin(), parts.end());
        normal.clear();
        for (const std::string &part : parts) {
          if (!normal.empty()) normal.push_back(' ');
          normal.append(part);
        }
      }
      if (!sink->value(field, ValueClass::kWords, static_cast<uint8_t>(count), bytesOf(normal), normal.size())) return false;
    }
  }
  return true;
}

bool Window::dates(const Side &side, uint8_t field, DateOrder order, SecondarySink *sink) {
  for (size_t first = 0; first < side.tokens.size(); ++first) {
    const DateReading reading = readDateTokens(side.folded, side.tokens, first, DateOrder::kAuto);
    for (size_t i = 0; i < reading.count; ++i) {
      const std::string normal = dateText(reading.dates[i]);
      if (!sink->value(field, ValueClass::kDate, 8, bytesOf(normal), normal.size())) return false;
    }
  }
  return true;
}

bool Window::emails(const Side &side, uint8_t field, const WantedShapes &shapes, SecondarySink *sink) {
  const uint8_t *text = bytesOf(side.text);
  for (size_t at = side.text.find('@'); at != std::string::npos; at = side.text.find('@', at + 1)) {
    size_t begin = at, end = at + 1;
    while (begin > 0 && isLocalByte(text[begin - 1])) --begin;
    while (end < side.text.size() && isDomainByte(text[end])) ++end;
    if (!trimEmail(text, at, &begin, &end) || !hasShape(shapes, field, std::min<size_t>(end - begin, 255))) continue;
    std::string normal = side.text.substr(begin, end - begin);
    for (char &c : normal) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (!sink->value(field, ValueClass::kEmail, static_cast<uint8_t>(std::min<size_t>(normal.size(), 255)), bytesOf(normal), normal.size()))
      return false;
  }
  return true;
}

bool Window::groups(const Side &side, uint8_t field, FieldType type, const WantedShapes &shapes, SecondarySink *sink) {
  const std::string &text = side.text;
  const ValueClass valueClass = classOf(type);
  const bool letters = valueClass == ValueClass::kAlnum;
  const size_t longest = letters ? kMaxAlnum : kMaxDigits;
  for (size_t begin = 0; begin < text.size(); ++begin) {
    const auto inGroup = [&](size_t at) { return at < text.size() && (isDigit(text[at]) || isLetter(text[at])); };
    if (!inGroup(begin) || (begin > 0 && inGroup(begin - 1))) continue;
    std::string normal;
    bool digit = false;
    for (size_t at = begin; inGroup(at);) {
      bool pure = true;
      for (; inGroup(at); ++at) {
        if (isLetter(text[at])) pure = false;
        else digit = true;
        normal.push_back(text[at] >= 'a' ? static_cast<char>(text[at] - 32) : text[at]);
      }
      if ((!letters && !pure) || normal.size() > longest) break;
      const uint8_t *value = bytesOf(normal);
      size_t n = normal.size();
      if (valueClass == ValueClass::kPhone) {
        if (n > 15) break;
        n = phoneForm(value, n, &value);
      }
      const bool valid = type == FieldType::kCard ? luhnValid(value, n)
                         : type == FieldType::kSsn ? ssnValid(value, n)
                         : type == FieldType::kIban ? ibanValid(value, n)
                                                    : digit;
      if (hasShape(shapes, field, n) && valid && !sink->value(field, valueClass, static_cast<uint8_t>(n), value, n)) return false;
      const size_t joined = joinersAt(bytesOf(text), text.size(), at);
      if (joined == 0) break;
      at += joined;
    }
  }
  return true;
}

void Window::enumerate(const IndexMeta &meta, const std::vector<uint8_t> &fields, const WantedShapes &shapes, SecondarySink *sink) const {
  for (const uint8_t field : fields) {
    const auto &wanted = shapes[field];
    if (!(wanted[0] | wanted[1] | wanted[2] | wanted[3])) continue;
    const FieldType type = meta.fields[field].type;
    for (const Side &side : sides_) {
      const bool more = type == FieldType::kWords   ? words(side, field, shapes, sink)
                        : type == FieldType::kDate  ? dates(side, field, meta.dates, sink)
                        : type == FieldType::kEmail ? emails(side, field, shapes, sink)
                                                    : groups(side, field, type, shapes, sink);
      if (!more) return;
    }
  }
}

void Window::wipe() {
  for (Side &side : sides_) {
    if (!side.text.empty()) explicit_bzero(&side.text[0], side.text.size());
    if (!side.folded.empty()) explicit_bzero(&side.folded[0], side.folded.size());
    side.clear();
  }
  if (!plain_.empty()) explicit_bzero(&plain_[0], plain_.size());
  plain_.clear();
}

}  // namespace sentinel::dlp
