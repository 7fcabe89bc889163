// A second reading of text that holds escapes of JSON, or percent signs as in addresses and forms.
//
// In JSON, JavaScript and properties files a name may stand as M\u00fcller and a number behind \n, in an address as
// M%C3%BCller and behind %3D. What is written with
// a backslash may also be just that, as the user in CORP\u123456, so the text is read as it is and, around escapes, once
// more with the escapes replaced: nothing is lost to either reading. Detectors of its own get sections of the text, each
// as a stream: from Source::reach() before an escape to as much behind the last one, cut at separators. Where they begin
// and end depends on the text alone, not on how it was cut.
#pragma once

#include <memory>
#include <vector>

#include "dlp/detector.h"
#include "dlp/hit_list.h"

namespace sentinel::dlp {

class EscapeReading {
 public:
  EscapeReading(const std::vector<std::shared_ptr<const Source>> &sources, bool portable, uint32_t maxHits);
  ~EscapeReading();  // overwrites what it held
  EscapeReading(const EscapeReading &) = delete;
  EscapeReading &operator=(const EscapeReading &) = delete;

  // Each piece of decoded text, in order.
  void text(const uint8_t *utf8, size_t n, const OffsetMap &map);
  // Adds what only this reading found.
  void finish(HitList *list);

 private:
  // Text with the way back to the stream; `at` is the decoded offset of its first byte.
  struct Span {
    const uint8_t *text;
    size_t n;
    uint64_t at;
    const OffsetRun *runs;
    size_t count;
  };
  Span history() const { return {history_.data(), history_.size(), historyAt_, historyRuns_.data(), historyRuns_.size()}; }
  void remember(const Span &piece);
  static size_t sectionBegin(const Span &span, uint64_t first, uint64_t escape);
  void open(uint64_t escape, const Span &piece, size_t *at);
  size_t throughSeam(const Span &piece, bool more);
  size_t consume(const Span &span, size_t from, size_t to, bool more);
  void plain(const Span &span, size_t from, size_t to);
  void character(const Span &span, size_t from, size_t to, uint32_t codePoint);
  void flush();
  void close();

  const std::vector<std::shared_ptr<const Source>> sources_;
  const bool portable_;
  size_t reach_ = 0;
  bool breaks_ = false;  // whether \n before a word is worth a section
  HitList found_;
  std::vector<std::unique_ptr<Detector>> detectors_;  // made for the first section
  std::vector<uint8_t> history_;                      // the end of the text so far
  uint64_t historyAt_ = 0;
  std::vector<OffsetRun> historyRuns_;
  bool open_ = false;
  uint64_t until_ = 0;  // decoded offset from which on the section may end
  size_t held_ = 0;     // bytes at the end of the history that could begin an escape
  std::vector<uint8_t> out_;
  std::vector<OffsetRun> outRuns_;
  uint64_t outAt_ = 0;  // offset of out_ in the section
};

}  // namespace sentinel::dlp
