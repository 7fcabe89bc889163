#include "dlp/edm_build.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "dlp/csv.h"
#include "dlp/edm_entries.h"
#include "dlp/edm_spill.h"
#include "dlp/edm_write.h"
#include "dlp/text.h"

namespace sentinel::dlp {
namespace {

// Values of fewer bits can all be tried by whoever holds the key: 2^36.5 is 11 digits, an hour at 44 million a second.
constexpr double kLoneBits = 36.5;
constexpr size_t kSampleRows = 20000;
constexpr size_t kEnoughRows = 200;
constexpr uint64_t kProgressRows = 256;

// What a column's values look like, place by place: a prefix that never changes protects nothing.
struct Profile {
  uint64_t values = 0;
  uint64_t lengths[64] = {};
  uint64_t seen[64] = {};  // bit per letter or digit, by place

  void add(const std::string &normal) {
    ++values;
    ++lengths[std::min<size_t>(normal.size(), 63)];
    for (size_t i = 0; i < normal.size() && i < 64; ++i) {
      const char c = normal[i];
      seen[i] |= 1ull << (c <= '9' ? c - '0' : c - 'A' + 10);
    }
  }
  double bits() const {
    const size_t length = static_cast<size_t>(std::max_element(lengths, lengths + 64) - lengths);
    double total = 0;
    for (size_t i = 0; i < length; ++i) {
      if (values >= kEnoughRows && __builtin_popcountll(seen[i]) == 1) continue;
      total += (seen[i] & 0x3ff) ? log2(10) : log2(26);
    }
    return total;
  }
};

bool isUtf8(const std::string &cell) {
  const auto *text = reinterpret_cast<const uint8_t *>(cell.data());
  for (size_t at = 0; at < cell.size();) {
    const int length = utf8Sequence(text + at, cell.size() - at);
    if (length <= 0) return false;
    at += static_cast<size_t>(length);
  }
  return true;
}

class Builder {
 public:
  Builder(BuildOptions options, BuildProgress *progress, BuildReport *report)
      : options_(std::move(options)),
        progress_(progress),
        report_(report),
        keys_(deriveKeys(options_.master, options_.salt)),
        meta_(options_.meta) {
    for (size_t i = 0; i < meta_.fields.size(); ++i) {
      if (!meta_.fields[i].primary) secondaries_.push_back(i);
    }
    lone_.reset(new Spill(options_.tempDir, loneRecordBytes(secondaries_.size())));
    combined_.reset(new Spill(options_.tempDir, kCombinedRecordBytes));
    entries_.reset(new EntryHasher(keys_, &meta_, secondaries_, lone_.get(), combined_.get()));
  }

  void run() {
    if (!decideCombined() || !readRows()) return;
    if (report_->indexedRows == 0)
      return fail("no row of the table can be protected",
                  report_->badRows > 0 ? "see the problems listed, and that the schema names the right columns"
                                       : "it has no rows, or they lack the primary value or the secondaries that `match` asks for");
    meta_.rows = report_->indexedRows;
    IndexWriter writer(options_, keys_, meta_, progress_, report_);
    writer.write(lone_.get(), combined_.get());
  }

 private:
  void fail(std::string error, std::string remedy) {
    if (!report_->error.empty()) return;
    report_->error = std::move(error);
    report_->remedy = std::move(remedy);
  }

  // Whether a column of the schema is among these cells, in any case of letters.
  bool namesColumn(const std::vector<std::string> &cells) const {
    for (const std::string &cell : cells) {
      const size_t from = cell.find_first_not_of(" \t"), to = cell.find_last_not_of(" \t");
      if (from == std::string::npos) continue;
      const std::string name = cell.substr(from, to - from + 1);
      for (const FieldSpec &field : meta_.fields) {
        if (strcasecmp(name.c_str(), field.column.c_str()) == 0) return true;
      }
    }
    return false;
  }

  // What to do about a first line without the column. The line is shown only when it is surely a header: of a table
  // that has none, or whose lines end otherwise, it holds what is to be protected.
  std::string headerRemedy(const std::vector<std::string> &cells) const {
    std::string names;
    for (const std::string &cell : cells) names += (names.empty() ? "" : ", ") + cell;
    const bool plain = names.find('\r') == std::string::npos;  // else rows stand in its cells
    if (plain && namesColumn(cells)) return "its first line names: " + names.substr(0, 300);
    for (const auto &[sign, name] : {std::pair(';', "semicolon"), std::pair('\t', "tab"), std::pair('|', "pipe"), std::pair(',', "comma")}) {
      if (!plain || cells.size() != 1 || names.find(sign) == std::string::npos) continue;
      std::vector<std::string> pieces(1);
      for (const char c : names) {
        if (c == sign)
          pieces.emplace_back();
        else
          pieces.back().push_back(c);
      }
      if (namesColumn(pieces)) return "its first line names: " + names.substr(0, 300) + "; if it is cut at these, say `delimiter: " + name + "` in the schema";
    }
    return "its first line has " + std::to_string(cells.size()) + (cells.size() == 1 ? " cell" : " cells") +
           ", and none is the name of a column of the schema; write the names of the columns there, and end lines with LF or CR LF";
  }

  bool noSpace() { return fail(entries_->error(), "free some space"), false; }

  // Finds the columns in the header line.
  bool readHeader(CsvReader *csv, std::vector<size_t> *places) {
    std::vector<std::string> cells;
    if (!csv->next(&cells)) return fail(csv->error().empty() ? "the table is empty" : "the table " + csv->error(), ""), false;
    columns_ = cells.size();
    for (const FieldSpec &field : meta_.fields) {
      size_t place = cells.size();
      for (size_t i = 0; i < cells.size(); ++i) {
        const size_t from = cells[i].find_first_not_of(" \t"), to = cells[i].find_last_not_of(" \t");
        if (from == std::string::npos || cells[i].compare(from, to - from + 1, field.column) != 0) continue;
        if (place < cells.size()) return fail("the table has two columns \"" + field.column + "\"", "rename one of them"), false;
        place = i;
      }
      if (place == cells.size()) {
        return fail("the table has no column \"" + field.column + "\"", headerRemedy(cells)), false;
      }
      places->push_back(place);
    }
    return true;
  }

  bool decideCombined() {
    std::vector<Profile> profiles(meta_.fields.size());
    CsvReader csv(options_.csvFd, options_.delimiter);
    std::vector<size_t> places;
    if (!readHeader(&csv, &places)) return false;
    std::vector<std::string> cells;
    std::string normal;
    const char *remedy;
    for (size_t row = 0; row < kSampleRows && csv.next(&cells); ++row) {
      for (size_t i = 0; i < meta_.fields.size(); ++i) {
        const FieldType type = meta_.fields[i].type;
        if (!meta_.fields[i].primary || (type != FieldType::kNumber && type != FieldType::kId) || places[i] >= cells.size()) continue;
        if (!normalizeCell(type, cells[places[i]], meta_.dates, &normal, &remedy)) profiles[i].add(normal);
      }
    }
    for (size_t i = 0; i < meta_.fields.size(); ++i) {
      FieldSpec &field = meta_.fields[i];
      if (!field.primary) continue;
      std::string why;
      if (field.type == FieldType::kSsn) why = "there are fewer than 10^9 social security numbers";
      if (field.type == FieldType::kPhone) why = "there are about 10^9 phone numbers of a country";
      if ((field.type == FieldType::kNumber || field.type == FieldType::kId) && profiles[i].values > 0 && profiles[i].bits() < kLoneBits)
        why = "its values are too short: about " + std::to_string(static_cast<int>(profiles[i].bits())) + " bits";
      if (why.empty()) continue;
      if (meta_.secondary == 0 || secondaries_.empty()) {
        return fail("the column \"" + field.column + "\" cannot be protected alone: " + why +
                        ", so whoever holds the index and its key could try them all",
                    "add a secondary column and `match: {secondary: 1, ...}`, so that only combinations are stored"),
               false;
      }
      field.combined = true;
    }
    return lseek(options_.csvFd, 0, SEEK_SET) == 0 || (fail("the table cannot be read twice", "give a file, not a pipe"), false);
  }

  bool bad(uint64_t row, uint64_t line, const std::string &column, const std::string &problem, const char *remedy) {
    if (report_->bad.size() < kMaxBadCells) report_->bad.push_back({row, line, column, problem, remedy});
    if (!options_.strict) return true;
    fail("line " + std::to_string(line) + ", column " + column + ": the value " + problem, remedy);
    return false;
  }

  bool readRows() {
    CsvReader csv(options_.csvFd, options_.delimiter);
    std::vector<size_t> places;
    if (!readHeader(&csv, &places)) return false;
    std::vector<std::string> cells, normals(meta_.fields.size());
    for (uint64_t row = 1; csv.next(&cells); ++row) {
      if (row % kProgressRows == 0) {
        progress_->rows = row;
        progress_->bytesRead = csv.bytesRead();
        if (progress_->cancel) return fail("cancelled", "the index in force, if any, is unchanged"), false;
      }
      report_->rows = row;
      if (row >= UINT32_MAX) return fail("the table has more than 2^32 rows", "split it"), false;
      // Some programs end each line with a delimiter.
      if (cells.size() == columns_ + 1 && cells.back().empty()) cells.pop_back();
      if (cells.size() != columns_) {
        ++report_->badRows;
        if (!bad(row, csv.line(), "(row)", "has " + std::to_string(cells.size()) + " cells where the header has " + std::to_string(columns_),
                 "quote cells that hold the delimiter"))
          return false;
        continue;
      }
      if (!takeRow(row, csv.line(), cells, places, &normals)) return false;
    }
    progress_->rows = report_->rows;
    progress_->bytesRead = csv.bytesRead();
    if (!csv.error().empty()) return fail("the table " + csv.error(), "correct the file"), false;
    return entries_->flush() || noSpace();
  }

  // What is wrong with a value that is a primary and good of its type.
  const char *weak(const FieldSpec &field, const std::string &normal, const char **remedy) const {
    if (field.type != FieldType::kNumber && field.type != FieldType::kId) return nullptr;
    if (field.combined) {
      *remedy = "leave it empty";
      return normal.size() < 4 ? "is shorter than 4 digits" : nullptr;
    }
    double bits = 0;
    for (const char c : normal) bits += c <= '9' ? log2(10) : log2(26);
    *remedy = "such values can only be protected in a column whose values are all short, with a secondary";
    return bits < kLoneBits ? "is too short to be protected alone" : nullptr;
  }

  bool takeRow(uint64_t row, uint64_t line, const std::vector<std::string> &cells, const std::vector<size_t> &places,
               std::vector<std::string> *normals) {
    bool anyPrimary = false, anyBad = false, indexed = false;
    size_t present = 0;
    for (size_t i = 0; i < meta_.fields.size(); ++i) {
      const FieldSpec &field = meta_.fields[i];
      std::string &normal = (*normals)[i];
      const std::string &cell = cells[places[i]];
      if (cell.find_first_not_of(" \t\r\n") == std::string::npos) {
        normal.clear();
        continue;
      }
      const char *remedy = "";
      const char *problem = nullptr;
      if (isUtf8(cell)) {
        problem = normalizeCell(field.type, cell, meta_.dates, &normal, &remedy);
      } else {
        problem = "is not UTF-8";
        remedy = "save the table as CSV in UTF-8";
      }
      if (!problem && field.primary) problem = weak(field, normal, &remedy);
      if (problem) {
        normal.clear();
        anyBad = true;
        if (!bad(row, line, field.column, problem, remedy)) return false;
        continue;
      }
      if (field.primary) anyPrimary = true;
      else ++present;
    }
    if (anyBad) ++report_->badRows;
    if (!anyPrimary) {
      if (!anyBad) ++report_->rowsWithoutPrimary;
      return true;
    }
    for (size_t i = 0; i < meta_.fields.size(); ++i) {
      const FieldSpec &field = meta_.fields[i];
      const std::string &normal = (*normals)[i];
      // Without enough secondaries the row could never match: it is not stored.
      if (!field.primary || normal.empty() || present < meta_.secondary) continue;
      if (!entries_->add(row, i, *normals, !indexed)) return noSpace();
      noteShape(field, normal);
      indexed = true;
    }
    if (indexed) ++report_->indexedRows;
    else ++report_->rowsWithoutSecondary;
    return true;
  }

  void noteShape(const FieldSpec &field, const std::string &normal) {
    Shapes &shapes = field.combined ? meta_.combined : meta_.lone;
    const uint64_t bit = 1ull << normal.size() % 64;
    switch (field.type) {
      case FieldType::kNumber:
        shapes.number |= bit;
        break;
      case FieldType::kCard:
        shapes.card |= bit;
        break;
      case FieldType::kSsn:
        shapes.ssn |= bit;
        break;
      case FieldType::kPhone:
        shapes.phone |= bit;
        break;
      case FieldType::kIban:
        shapes.iban |= bit;
        break;
      case FieldType::kId:
        shapes.id[leadingLetters(normal) & 15] |= bit;
        break;
      default:
        shapes.email = 1;
    }
  }

  BuildOptions options_;
  BuildProgress *progress_;
  BuildReport *report_;
  IndexKeys keys_;
  IndexMeta meta_;
  std::vector<size_t> secondaries_;
  size_t columns_ = 0;
  std::unique_ptr<Spill> lone_, combined_;
  std::unique_ptr<EntryHasher> entries_;
};

}  // namespace

void buildIndex(BuildOptions options, BuildProgress *progress, BuildReport *report) {
  struct stat stat = {};
  if (fstat(options.csvFd, &stat) == 0) progress->totalBytes = static_cast<uint64_t>(stat.st_size);
  const std::unique_ptr<Builder> builder(new Builder(std::move(options), progress, report));
  builder->run();
}

}  // namespace sentinel::dlp
