#include "dlp/escapes.h"

#include <string.h>

#include <algorithm>

#include "dlp/byte_sets.h"

namespace sentinel::dlp {
namespace {

constexpr size_t kOutBytes = 16 * 1024;
// JSON within JSON doubles the backslashes.
constexpr size_t kMaxBackslashes = 8;
// An address within an address doubles the percent signs: %2540.
constexpr size_t kMaxPercents = 2;
// More than two escapes of a surrogate pair take, or those of a character of four bytes.
constexpr size_t kLongest = 40;

bool isContinuation(uint8_t b) { return (b & 0xC0) == 0x80; }
bool isHex(uint8_t b) { return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F'); }
bool isDigit(uint8_t b) { return b >= '0' && b <= '9'; }
bool isAlnum(uint8_t b) { return isDigit(b) || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z'); }
// No value goes on over one of these.
bool isSeparator(uint8_t b) { return b <= 0x20 || b == '"' || b == ',' || b == ';' || b == '<' || b == '>'; }

enum class Parse { kNone, kWhole, kCut };

// Backslashes, u and four digits.
Parse unit(const uint8_t *at, size_t n, size_t *used, uint32_t *value) {
  size_t i = 0;
  while (i < n && i < kMaxBackslashes && at[i] == '\\') ++i;
  if (i == 0 && n > 0) return Parse::kNone;
  if (i == n) return Parse::kCut;
  if (at[i++] != 'u') return Parse::kNone;
  *value = 0;
  for (size_t digit = 0; digit < 4; ++digit, ++i) {
    if (i == n) return Parse::kCut;
    if (!isHex(at[i])) return Parse::kNone;
    *value = *value << 4 | (isDigit(at[i]) ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10u);
  }
  *used = i;
  return Parse::kWhole;
}

uint8_t hexByte(uint8_t high, uint8_t low) {
  const auto digit = [](uint8_t b) { return isDigit(b) ? b - '0' : (b | 0x20) - 'a' + 10; };
  return static_cast<uint8_t>(digit(high) << 4 | digit(low));
}

// A percent sign, itself escaped or not, and two hex digits.
Parse percentByte(const uint8_t *at, size_t n, size_t *used, uint8_t *value) {
  if (n == 0) return Parse::kCut;
  if (at[0] != '%') return Parse::kNone;
  size_t i = 1;
  for (size_t level = 0; level < kMaxPercents; ++level) {
    if (n - i < 4 || at[i] != '2' || at[i + 1] != '5' || !isHex(at[i + 2]) || !isHex(at[i + 3])) break;
    i += 2;
  }
  for (size_t digit = i; digit < i + 2; ++digit) {
    if (digit >= n) return Parse::kCut;
    if (!isHex(at[digit])) return Parse::kNone;
  }
  *value = hexByte(at[i], at[i + 1]);
  *used = i + 2;
  // The end may hide that it goes on.
  if (*value == '%' && n - i < 4 && std::all_of(at + i, at + n, isHex)) return Parse::kCut;
  return Parse::kWhole;
}

// The character that percent signs tell: bytes of UTF-8, or one of Latin-1.
Parse percent(const uint8_t *at, size_t n, size_t *used, uint32_t *codePoint) {
  uint8_t lead = 0;
  const Parse first = percentByte(at, n, used, &lead);
  if (first != Parse::kWhole) return first;
  if (lead == 0) return Parse::kNone;
  *codePoint = lead;
  const size_t more = lead < 0xC2 || lead > 0xF4 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  uint32_t value = more == 1 ? lead & 0x1Fu : more == 2 ? lead & 0x0Fu : lead & 0x07u;
  size_t end = *used;
  for (size_t nth = 0; nth < more; ++nth) {
    size_t length = 0;
    uint8_t next = 0;
    const Parse parsed = percentByte(at + end, n - end, &length, &next);
    if (parsed == Parse::kCut) return parsed;
    if (parsed != Parse::kWhole || !isContinuation(next)) return Parse::kWhole;
    value = value << 6 | (next & 0x3Fu);
    end += length;
  }
  const bool wrong = value > 0x10FFFF || (value >= 0xD800 && value < 0xE000) || (more == 2 && value < 0x800) || (more == 3 && value < 0x10000);
  if (more > 0 && !wrong) {
    *codePoint = value;
    *used = end;
  }
  return Parse::kWhole;
}

// The escape at a backslash or percent sign; cut off by the end of the text, it may be one.
Parse escape(const uint8_t *at, size_t n, size_t *used, uint32_t *codePoint) {
  if (n > 0 && at[0] == '%') return percent(at, n, used, codePoint);
  size_t i = 0;
  while (i < n && i < kMaxBackslashes && at[i] == '\\') ++i;
  if (i == n) return Parse::kCut;
  *used = i + 1;
  switch (at[i]) {
    // Behind two backslashes it may be a folder's name: no line ends there.
    case 'n': return *codePoint = i % 2 == 1 ? '\n' : ' ', Parse::kWhole;
    case 'r': return *codePoint = i % 2 == 1 ? '\r' : ' ', Parse::kWhole;
    case 't': return *codePoint = '\t', Parse::kWhole;
    case '/':
    case '"': return *codePoint = at[i], Parse::kWhole;
    case 'u': break;
    default: return Parse::kNone;
  }
  const Parse first = unit(at, n, used, codePoint);
  if (first != Parse::kWhole || *codePoint < 0xD800 || *codePoint > 0xDFFF) return first;
  if (*codePoint >= 0xDC00) return Parse::kNone;
  size_t more;
  uint32_t low = 0;
  const Parse second = unit(at + *used, n - *used, &more, &low);
  if (second != Parse::kWhole) return second;
  if (low < 0xDC00 || low > 0xDFFF) return Parse::kNone;
  *codePoint = 0x10000 + ((*codePoint - 0xD800) << 10) + (low - 0xDC00);
  *used += more;
  return Parse::kWhole;
}

// What stands beside percent signs in text.
bool isLikely(uint8_t b) { return (b >= ' ' && b < 0x7F) || b == '\n' || b == '\r' || b == '\t'; }

// Whether the escape at text[at] can make a difference: a character, what a value begins behind or goes on after, or a
// line break inside a number.
bool matters(const uint8_t *text, size_t n, size_t at, uint8_t before, bool breaks) {
  if (text[at] == '%') {
    size_t used;
    uint32_t codePoint = 0;
    if (percent(text + at, n - at, &used, &codePoint) != Parse::kWhole) return false;
    // Where such text stands it is ASCII; two bytes of random data that look like an escape are no reason to read twice.
    if (codePoint >= 0x80 && used > 3) return true;
    if (codePoint >= 0x80 ? codePoint < 0xC0 : codePoint < ' ' && codePoint != '\t' && codePoint != '\n' && codePoint != '\r') return false;
    const size_t next = at + used;
    const uint8_t last = at > 0 ? text[at - 1] : before;
    return next + 1 < n && (isAlnum(text[next]) || text[next] == '%') && isLikely(text[next + 1]) && (isLikely(last) || last == 0);
  }
  if (at + 2 >= n) return false;
  const uint8_t letter = text[at + 1], next = text[at + 2];
  if (letter == 'u') return at + 6 <= n && std::all_of(text + at + 2, text + at + 6, isHex);
  if (letter == 'n' || letter == 'r' || letter == 't') {
    if (breaks && (isAlnum(next) || next >= 0x80)) return true;
    if (letter == 't') return false;  // ends a cell, and with it a number
    const uint8_t left = at > 0 ? text[at - 1] : before;
    const size_t behind = at + (letter == 'r' && next == '\\' && at + 3 < n && text[at + 3] == 'n' ? 4 : 2);
    return isAlnum(left) && behind < n && isAlnum(text[behind]) && (isDigit(left) || isDigit(text[behind]));
  }
  return letter == '/' && (isDigit(next) || isDigit(at > 0 ? text[at - 1] : before));
}

// The first backslash or percent sign in text[from, to); `to` for none.
size_t nextSign(const uint8_t *text, size_t from, size_t to) {
#if defined(__x86_64__)
  for (; to - from >= 16; from += 16) {
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i *>(text + from));
    const int found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(here, _mm_set1_epi8('\\')), _mm_cmpeq_epi8(here, _mm_set1_epi8('%'))));
    if (found) return from + static_cast<size_t>(__builtin_ctz(static_cast<unsigned>(found)));
  }
#endif
  while (from < to && text[from] != '\\' && text[from] != '%') ++from;
  return from;
}

#if defined(__x86_64__)
// The first backslash before a letter of an escape, or percent sign before a digit, in text[from, to); or one of the
// last bytes.
SENTINEL_AVX2 size_t likelyEscape(const uint8_t *text, size_t n, size_t from, size_t to) {
  const __m256i slash = _mm256_set1_epi8('\\'), percents = _mm256_set1_epi8('%');
  for (; from < to && from + 33 <= n; from += 32) {
    const __m256i here = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(text + from));
    const __m256i slashed = _mm256_cmpeq_epi8(here, slash), percented = _mm256_cmpeq_epi8(here, percents);
    if (!_mm256_movemask_epi8(_mm256_or_si256(slashed, percented))) continue;
    const __m256i next = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(text + from + 1));
    const auto is = [next](char letter) SENTINEL_AVX2 { return _mm256_cmpeq_epi8(next, _mm256_set1_epi8(letter)); };
    const __m256i any = _mm256_or_si256(_mm256_or_si256(is('u'), is('/')), _mm256_or_si256(is('n'), _mm256_or_si256(is('r'), is('t'))));
    // A hex digit behind a percent sign: 0 to 9, A to F, a to f.
    const __m256i digit = _mm256_sub_epi8(next, _mm256_set1_epi8('0')), letter = _mm256_sub_epi8(_mm256_or_si256(next, _mm256_set1_epi8(0x20)), _mm256_set1_epi8('a'));
    const __m256i hex = _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(digit, _mm256_set1_epi8(9)), digit), _mm256_cmpeq_epi8(_mm256_min_epu8(letter, _mm256_set1_epi8(5)), letter));
    const uint32_t found = static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(_mm256_and_si256(slashed, any), _mm256_and_si256(percented, hex))));
    if (found) return from + static_cast<size_t>(__builtin_ctz(found));
  }
  return from;
}
#endif

// The first such sign in text[from, to); `to` for none.
size_t nextEscape(const uint8_t *text, size_t n, size_t from, size_t to, uint8_t before, bool breaks, bool portable) {
  while (from < to) {
#if defined(__x86_64__)
    if (!portable && hasAvx2()) from = likelyEscape(text, n, from, to);
    if (from >= to) return to;
#endif
    from = nextSign(text, from, to);
    if (from == to) return to;
    if (matters(text, n, from, before, breaks)) return from;
    ++from;
  }
  return to;
}

// streamOffset without its search and division where, as in most files, text and stream are the same.
inline uint64_t placeOf(const OffsetRun *runs, size_t count, uint64_t decoded) {
  if (count == 1 && runs->decodedUnit == 1 && runs->streamUnit == 1 && decoded >= runs->decoded) return runs->stream + (decoded - runs->decoded);
  return streamOffset(runs, count, decoded);
}

void wipe(std::vector<uint8_t> *bytes) {
  bytes->resize(bytes->capacity());
  if (!bytes->empty()) explicit_bzero(bytes->data(), bytes->size());
  bytes->clear();
}

}  // namespace

EscapeReading::EscapeReading(const std::vector<std::shared_ptr<const Source>> &sources, bool portable, uint32_t maxHits)
    : sources_(sources), portable_(portable), found_(maxHits) {
  for (const auto &source : sources_) {
    reach_ = std::max(reach_, source->reach());
    breaks_ = breaks_ || source->hiddenByBreaks();
  }
  history_.reserve(reach_ + kLongest);
}

EscapeReading::~EscapeReading() {
  wipe(&history_);
  wipe(&out_);
}

void EscapeReading::text(const uint8_t *utf8, size_t n, const OffsetMap &map) {
  if (reach_ == 0) return;
  const Span piece{utf8, n, map.chunkAt, map.runs, map.count};
  size_t at = 0;
  if (!open_ && !history_.empty()) {
    // An escape that the seam between the pieces cuts.
    uint8_t seam[2 * kLongest];
    const size_t before = std::min(history_.size(), kLongest), behind = std::min(n, kLongest);
    memcpy(seam, history_.data() + history_.size() - before, before);
    memcpy(seam + before, utf8, behind);
    // What stands before the end of the last section was in it.
    const uint64_t seamAt = piece.at - before;
    const size_t from = until_ > seamAt ? static_cast<size_t>(std::min<uint64_t>(until_ - seamAt, before)) : 0;
    const size_t found = nextEscape(seam, before + behind, from, before, 0, breaks_, portable_);
    explicit_bzero(seam, sizeof seam);
    if (found < before) open(seamAt + found, piece, &at);
  } else if (open_) {
    at = throughSeam(piece, true);
  }
  const uint8_t last = history_.empty() ? 0 : history_.back();
  while (at < n) {
    if (!open_) {
      const size_t found = nextEscape(utf8, n, at, n, last, breaks_, portable_);
      if (found == n) break;
      open(piece.at + found, piece, &at);
      continue;
    }
    const size_t reached = consume(piece, at, n, true);
    held_ = open_ ? n - reached : 0;
    if (open_) break;
    at = reached;
  }
  flush();
  remember(piece);
}

void EscapeReading::finish(HitList *list) {
  if (open_) {
    const Span none{nullptr, 0, historyAt_ + history_.size(), nullptr, 0};
    throughSeam(none, false);
    if (open_) close();
  }
  for (const Hit &hit : found_.hits()) list->supplement(hit);
}

// Where in the span a section begins that is to begin at `first`: at a separator, since half a number is another number.
size_t EscapeReading::sectionBegin(const Span &span, uint64_t first, uint64_t escape) {
  size_t from = static_cast<size_t>(first > span.at ? first - span.at : 0);
  if (first == 0) return from;
  const size_t end = static_cast<size_t>(std::min<uint64_t>(escape - span.at, span.n));
  for (size_t at = from; at < end; ++at) {
    if (isSeparator(span.text[at])) return at;
  }
  while (from < end && isContinuation(span.text[from])) ++from;
  return from;
}

// Begins a section for the escape at this decoded offset; `at` becomes the place in the piece where to go on.
void EscapeReading::open(uint64_t escape, const Span &piece, size_t *at) {
  if (detectors_.empty()) {
    uint32_t handle = 0;
    for (const auto &source : sources_) {
      if (source->reach() > 0) detectors_.push_back(source->detector(handle, portable_));
      ++handle;
    }
    out_.reserve(2 * kOutBytes + kLongest);
  }
  open_ = true;
  held_ = 0;
  until_ = escape + reach_;
  const uint64_t first = escape > reach_ ? escape - reach_ : 0;
  const Span past = history();
  if (first < piece.at) {
    const size_t from = sectionBegin(past, first, escape);
    const size_t reached = consume(past, from, past.n, true);
    held_ = past.n - reached;
    *at = throughSeam(piece, true);
  } else {
    *at = sectionBegin(piece, first, escape);
  }
}

// Reads what was held back together with the beginning of the piece; returns where to go on in the piece.
size_t EscapeReading::throughSeam(const Span &piece, bool more) {
  if (held_ == 0) return 0;
  uint8_t seam[3 * kLongest];
  const Span past = history();
  const size_t before = held_, behind = std::min(piece.n, 2 * kLongest);
  memcpy(seam, past.text + past.n - before, before);
  if (behind > 0) memcpy(seam + before, piece.text, behind);
  std::vector<OffsetRun> runs(past.runs, past.runs + past.count);
  runs.insert(runs.end(), piece.runs, piece.runs + std::min(piece.count, behind));
  const Span joined{seam, before + behind, piece.at - before, runs.data(), runs.size()};
  const size_t reached = consume(joined, 0, before, more);
  explicit_bzero(seam, sizeof seam);
  // What is still cut goes on through all of the piece.
  held_ = reached < before ? before - reached + piece.n : 0;
  return reached < before ? piece.n : reached - before;
}

// Hands on span[from, to) with its escapes replaced, to the end of the section at most; returns where it stopped. That
// is before `to` when the section ended or, with `more` to come, at what may be an escape.
size_t EscapeReading::consume(const Span &span, size_t from, size_t to, bool more) {
  // The next separator from somewhere before it on: looked for once, however many backslashes stand before it.
  size_t separator = 0;
  while (from < to) {
    const uint64_t here = span.at + from;
    if (here >= until_ && isSeparator(span.text[from])) {
      close();
      return from;
    }
    size_t end;
    if (here < until_) {
      end = static_cast<size_t>(std::min<uint64_t>(to, until_ - span.at));
      while (end < to && isContinuation(span.text[end])) ++end;
    } else {
      if (separator <= from) {
        for (separator = from + 1; separator < to && !isSeparator(span.text[separator]);) ++separator;
      }
      end = separator;
    }
    // Up to the next escape: most backslashes are none.
    for (size_t look = from;; ++look) {
      look = nextSign(span.text, std::min(look, end), end);
      if (look == end) {
        plain(span, from, end);
        from = end;
        break;
      }
      size_t used = 1;
      uint32_t codePoint = 0;
      const Parse parsed = escape(span.text + look, span.n - look, &used, &codePoint);
      if (parsed == Parse::kNone || (parsed == Parse::kCut && !more)) continue;
      plain(span, from, look);
      from = look;
      if (parsed == Parse::kCut) return from;
      character(span, from, from + used, codePoint);
      until_ = std::max(until_, span.at + from + reach_);
      from += used;
      break;
    }
  }
  return from;
}

// `from` and `to` cut no character.
void EscapeReading::plain(const Span &span, size_t from, size_t to) {
  while (from < to) {
    if (out_.size() >= kOutBytes) flush();
    size_t part = std::min(to - from, kOutBytes);
    while (part < to - from && isContinuation(span.text[from + part])) ++part;
    // The runs of these bytes, moved to where they stand in the section.
    const uint64_t begin = span.at + from, end = begin + part, placed = outAt_ + out_.size();
    const OffsetRun *run = std::upper_bound(span.runs, span.runs + span.count, begin, [](uint64_t at, const OffsetRun &one) { return at < one.decoded; });
    if (run != span.runs) --run;
    for (; run != span.runs + span.count && run->decoded < end; ++run) {
      OffsetRun moved = *run;
      moved.decoded = run->decoded <= begin ? placed : placed + (run->decoded - begin);
      if (run->decoded <= begin) moved.stream = placeOf(run, 1, begin);
      outRuns_.push_back(moved);
    }
    out_.insert(out_.end(), span.text + from, span.text + from + part);
    from += part;
  }
}

void EscapeReading::character(const Span &span, size_t from, size_t to, uint32_t codePoint) {
  if (out_.size() >= kOutBytes) flush();
  uint8_t bytes[4];
  const size_t width = encodeUtf8(codePoint, bytes);
  const uint64_t stream = placeOf(span.runs, span.count, span.at + from), end = placeOf(span.runs, span.count, span.at + to);
  outRuns_.push_back({outAt_ + out_.size(), stream, static_cast<uint8_t>(width), static_cast<uint8_t>(end - stream)});
  out_.insert(out_.end(), bytes, bytes + width);
}

void EscapeReading::flush() {
  if (out_.empty()) return;
  const OffsetMap map{outAt_, outRuns_.data(), outRuns_.size()};
  for (const auto &detector : detectors_) detector->feed(out_.data(), out_.size(), map, found_);
  outAt_ += out_.size();
  out_.clear();
  outRuns_.clear();
}

void EscapeReading::close() {
  flush();
  for (const auto &detector : detectors_) {
    detector->finish(found_);
    detector->reset();
  }
  open_ = false;
  outAt_ = 0;
}

// Keeps the end of the text so far: what a section may begin with.
void EscapeReading::remember(const Span &piece) {
  const size_t wanted = reach_ + kLongest;
  const uint64_t end = piece.at + piece.n;
  if (piece.n >= wanted) {
    history_.assign(piece.text + piece.n - wanted, piece.text + piece.n);
  } else {
    const size_t kept = std::min(history_.size(), wanted - piece.n);
    history_.erase(history_.begin(), history_.end() - static_cast<std::ptrdiff_t>(kept));
    history_.insert(history_.end(), piece.text, piece.text + piece.n);
  }
  historyAt_ = end - history_.size();
  const auto before = [this](const OffsetRun *run, const OffsetRun *last) { return run + 1 < last && run[1].decoded <= historyAt_; };
  const OffsetRun *first = piece.runs, *last = piece.runs + piece.count;
  if (piece.at < historyAt_) {
    historyRuns_.clear();
    first = std::upper_bound(first, last, historyAt_, [](uint64_t at, const OffsetRun &one) { return at < one.decoded; });
    if (first != piece.runs) --first;
  }
  if (!historyRuns_.empty()) {
    size_t old = 0;
    while (before(historyRuns_.data() + old, historyRuns_.data() + historyRuns_.size())) ++old;
    historyRuns_.erase(historyRuns_.begin(), historyRuns_.begin() + static_cast<std::ptrdiff_t>(old));
  }
  historyRuns_.insert(historyRuns_.end(), first, last);
}

}  // namespace sentinel::dlp
