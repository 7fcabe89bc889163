#include "dlp/escapes.h"

#include <string.h>

#include <algorithm>

#include "dlp/escape_forms.h"

namespace sentinel::dlp {
namespace {

constexpr size_t kOutBytes = 16 * 1024;
// No value goes on over one of these.
bool isSeparator(uint8_t b) { return b <= 0x20 || b == '"' || b == ',' || b == ';' || b == '<' || b == '>'; }

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
  history_.reserve(reach_ + kLongestEscape);
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
    uint8_t seam[2 * kLongestEscape];
    const size_t before = std::min(history_.size(), kLongestEscape), behind = std::min(n, kLongestEscape);
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
    out_.reserve(2 * kOutBytes + kLongestEscape);
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
  uint8_t seam[3 * kLongestEscape];
  const Span past = history();
  const size_t before = held_, behind = std::min(piece.n, 2 * kLongestEscape);
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
      look = nextEscapeSign(span.text, std::min(look, end), end);
      if (look == end) {
        plain(span, from, end);
        from = end;
        break;
      }
      size_t used = 1;
      uint32_t codePoint = 0;
      const EscapeParse parsed = parseEscape(span.text + look, span.n - look, &used, &codePoint);
      if (parsed == EscapeParse::kNone || (parsed == EscapeParse::kCut && !more)) continue;
      plain(span, from, look);
      from = look;
      if (parsed == EscapeParse::kCut) return from;
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
  const size_t wanted = reach_ + kLongestEscape;
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
