#include "dlp/csv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

namespace sentinel::dlp {

bool CsvReader::fill() {
  if (!error_.empty()) return false;
  for (;;) {
    const ssize_t got = read(fd_, block_.data(), block_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error_ = std::string("cannot be read: ") + strerror(errno);
    if (got <= 0) return false;
    at_ = 0;
    end_ = static_cast<size_t>(got);
    bytesRead_ += end_;
    if (started_) return true;
    started_ = true;
    if (end_ >= 3 && memcmp(block_.data(), "\xEF\xBB\xBF", 3) == 0) at_ = 3;
    else if (end_ >= 2 && (memcmp(block_.data(), "\xFF\xFE", 2) == 0 || memcmp(block_.data(), "\xFE\xFF", 2) == 0))
      error_ = "is UTF-16; save it as CSV in UTF-8";
    if (!error_.empty()) return false;
    // Nothing but the mark: the text, if there is any, comes with the next read.
    if (at_ < end_) return true;
  }
}

bool CsvReader::next(std::vector<std::string> *cells) {
  size_t used = 0;
  const auto openCell = [&]() -> std::string * {
    if (used == cells->size()) cells->emplace_back();
    std::string *cell = &(*cells)[used++];
    cell->clear();
    return cell;
  };
  std::string *cell = openCell();
  bool quoted = false, afterQuote = false, any = false;
  uint64_t quoteLine = 0;
  size_t rowBytes = 0;
  rowLine_ = line_;
  for (;;) {
    if (at_ == end_ && !fill()) {
      if (!error_.empty()) return false;
      if (quoted) {
        error_ = "ends inside the quotes opened on line " + std::to_string(quoteLine);
        return false;
      }
      if (!any) return false;
      break;
    }
    const char byte = block_[at_];
    if (quoted) {
      const char *from = block_.data() + at_;
      const void *quote = memchr(from, '"', end_ - at_);
      const size_t part = quote ? static_cast<size_t>(static_cast<const char *>(quote) - from) : end_ - at_;
      for (size_t i = 0; i < part; ++i) line_ += from[i] == '\n';
      cell->append(from, part);
      at_ += part;
      if (quote) {
        ++at_;
        quoted = false;
        afterQuote = true;
      }
    } else if (byte == '"' && (cell->empty() || afterQuote)) {
      if (afterQuote) cell->push_back('"');
      quoted = true;
      any = true;
      afterQuote = false;
      quoteLine = line_;
      ++at_;
    } else if (byte == delimiter_) {
      if (used == kMaxCells) {
        error_ = "has more than " + std::to_string(kMaxCells) + " cells on line " + std::to_string(rowLine_);
        return false;
      }
      rowBytes += cell->size();
      cell = openCell();
      any = true;
      afterQuote = false;
      ++at_;
    } else if (byte == '\n') {
      ++at_;
      ++line_;
      if (!afterQuote && !cell->empty() && cell->back() == '\r') cell->pop_back();
      if (used == 1 && cell->empty() && !afterQuote) {
        any = false;
        rowLine_ = line_;
        continue;
      }
      break;
    } else if (byte == '\r' && afterQuote) {
      ++at_;
    } else {
      any = true;
      const size_t from = at_;
      do ++at_;
      while (at_ < end_ && block_[at_] != '\n' && block_[at_] != delimiter_ && block_[at_] != '"');
      cell->append(block_.data() + from, at_ - from);
      if (at_ < end_ && block_[at_] == '"' && !cell->empty()) {
        // A quote inside an unquoted cell is a letter.
        cell->push_back('"');
        ++at_;
      }
      afterQuote = false;
    }
    if (rowBytes > kMaxRowBytes) {
      error_ = "has a row of more than 16 MiB on line " + std::to_string(rowLine_);
      return false;
    }
    if (cell->size() > kMaxCellBytes) {
      error_ = quoted ? "has quotes, opened on line " + std::to_string(quoteLine) + ", that are not closed within 1 MiB"
                      : "has a cell of more than 1 MiB on line " + std::to_string(rowLine_);
      return false;
    }
  }
  cells->resize(used);
  return true;
}

}  // namespace sentinel::dlp
