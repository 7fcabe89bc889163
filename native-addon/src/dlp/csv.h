// Reads CSV as RFC 4180 has it, from a file of any size: quotes, doubled quotes, CRLF or LF, line breaks inside quotes, a
// byte order mark, any one-byte delimiter. Memory: one block and one row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sentinel::dlp {

constexpr size_t kMaxCellBytes = 1 << 20;
constexpr size_t kMaxCells = 1 << 16;  // of a row; spreadsheets end at 16384
constexpr size_t kMaxRowBytes = 16 << 20;

class CsvReader {
 public:
  CsvReader(int fd, char delimiter) : fd_(fd), delimiter_(delimiter), block_(256 * 1024) {}
  // The next row; false at the end or when `error()` is set. Empty lines are passed over.
  bool next(std::vector<std::string> *cells);
  // Physical line on which the last row began, from 1.
  uint64_t line() const { return rowLine_; }
  uint64_t bytesRead() const { return bytesRead_; }
  const std::string &error() const { return error_; }

 private:
  bool fill();

  int fd_;
  char delimiter_;
  std::vector<char> block_;
  size_t at_ = 0, end_ = 0;
  uint64_t bytesRead_ = 0, line_ = 1, rowLine_ = 1;
  bool started_ = false;
  std::string error_;
};

}  // namespace sentinel::dlp
