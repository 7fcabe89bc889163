// Tables as somebody exports them: the reader against a plain one, the normal forms of cells, and the whole build. An
// index that comes out of it opens, and finds its lone values where they stand as they are stored.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "dlp/csv.h"
#include "dlp/edm_value.h"
#include "harness.h"
#include "tables.h"

using namespace sentinel::dlp;

namespace {

using Rows = std::vector<std::vector<std::string>>;

// Character by character. False where quotes stay open or a row is too large.
bool plainRows(const std::string& text, char delimiter, Rows* rows) {
  enum { kStart, kPlain, kQuoted, kAfter } state = kStart;
  std::vector<std::string> row(1);
  bool any = false;
  const auto end = [&] {
    if (any) rows->push_back(row);
    row.assign(1, "");
    any = false;
    state = kStart;
  };
  size_t at = text.compare(0, 3, "\xEF\xBB\xBF") == 0 ? 3 : 0;
  for (; at < text.size(); at++) {
    const char c = text[at];
    if (state == kQuoted) {
      if (c == '"') state = kAfter;
      else row.back().push_back(c);
    } else if (c == '"' && (state == kStart || state == kAfter)) {
      if (state == kAfter) row.back().push_back('"');
      state = kQuoted;
      any = true;
    } else if (c == delimiter) {
      row.emplace_back();
      state = kStart;
      any = true;
    } else if (c == '\n') {
      if (state != kAfter && !row.back().empty() && row.back().back() == '\r') row.back().pop_back();
      if (row.size() == 1 && row[0].empty() && state != kAfter) any = false;
      end();
    } else if (c == '\r' && state == kAfter) {
      continue;
    } else {
      row.back().push_back(c);
      any = true;
      state = kPlain;
    }
  }
  if (state == kQuoted) return false;
  if (any) rows->push_back(row);
  return true;
}

bool readRows(int fd, char delimiter, Rows* rows) {
  CsvReader reader(fd, delimiter);
  std::vector<std::string> cells;
  uint64_t line = 0;
  while (reader.next(&cells)) {
    if (reader.line() <= line) std::abort();
    line = reader.line();
    rows->push_back(cells);
  }
  close(fd);
  return reader.error().empty();
}

void differ(const char* what, const std::string& detail) {
  std::fprintf(stderr, "%s: %s\n", what, detail.c_str());
  std::abort();
}

void checkReader(const std::string& text, char delimiter) {
  const bool wide = text.size() >= 2 && (text.compare(0, 2, "\xFF\xFE") == 0 || text.compare(0, 2, "\xFE\xFF") == 0);
  Rows plain, whole, pieces;
  const bool good = plainRows(text, delimiter, &plain) && !wide;
  const bool read = readRows(fuzz::memoryFile(text.data(), text.size()), delimiter, &whole);
  if (read != good) differ("the reader and the plain one differ in whether it can be read", text);
  if (good && whole != plain) differ("rows differ", text);
  // The same in pieces, a packet each; the mark at the beginning is not cut.
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) != 0) std::abort();
  size_t at = 0, packets = 0;
  for (size_t n = 3; at < text.size() && packets < 100; packets++, n = 1 + static_cast<uint8_t>(text[at]) % 40) {
    if (packets == 99) n = text.size() - at;
    n = std::min(n, text.size() - at);
    if (send(pair[1], text.data() + at, n, MSG_DONTWAIT) != static_cast<ssize_t>(n)) break;
    at += n;
    if (at == text.size()) break;
  }
  close(pair[1]);
  const bool again = readRows(pair[0], delimiter, &pieces);
  if (at == text.size() && (again != read || (read && pieces != whole))) differ("rows depend on the pieces", text);
}

void checkCells(const Rows& rows) {
  size_t cells = 0;
  for (const auto& row : rows) {
    for (const std::string& cell : row) {
      if (++cells > 64) return;
      for (int type = 0; type <= static_cast<int>(FieldType::kId); type++) {
        for (const DateOrder order : {DateOrder::kAuto, DateOrder::kDayFirst, DateOrder::kMonthFirst}) {
          const FieldType field = static_cast<FieldType>(type);
          std::string normal, twice;
          const char* remedy = nullptr;
          const char* problem = normalizeCell(field, cell, order, &normal, &remedy);
          if (problem) {
            if (!remedy || !*problem) differ("no words", cell);
            continue;
          }
          if (normal.empty() || shapeOf(classOf(field), normal) == 0) differ("nothing is left", cell);
          if (classOf(field) == ValueClass::kDigits || field == FieldType::kPhone || field == FieldType::kDate) {
            if (normal.find_first_not_of("0123456789") != std::string::npos || normal.size() > kMaxDigits) differ("not digits", cell);
          }
          // The last digits of a long phone number may begin with zeros, which a short one loses; some letters fold to
          // signs that part words (a quarter to one, slash, four).
          const bool ascii = std::all_of(cell.begin(), cell.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
          if (field != FieldType::kPhone && (ascii || field != FieldType::kWords) && (normalizeCell(field, normal, order, &twice, &remedy) || twice != normal))
            differ("a normal form is not its own", cell + " -> " + normal + " -> " + twice);
        }
      }
    }
  }
}

}  // namespace

// delimiter and options, types, then the table.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 8) return 0;
  const char delimiter = ",;\t|"[data[0] & 3];
  const std::string text(reinterpret_cast<const char*>(data) + 8, size - 8);
  checkReader(text, delimiter);
  Rows rows;
  plainRows(text, delimiter, &rows);
  checkCells(rows);
  if (rows.empty()) return 0;
  IndexMeta meta;
  meta.name = "fuzz";
  for (size_t i = 0; i < rows[0].size() && i < 6; i++) {
    std::string column = rows[0][i];
    const size_t from = column.find_first_not_of(" \t"), to = column.find_last_not_of(" \t");
    if (from == std::string::npos) continue;
    meta.fields.push_back(fuzz::field(column.substr(from, to - from + 1).c_str(), static_cast<FieldType>(data[2 + i] % 9), (data[2 + i] & 0x80) != 0));
    // Words and dates are never primary: the schema refuses them.
    FieldSpec& spec = meta.fields.back();
    if (spec.type == FieldType::kWords || spec.type == FieldType::kDate) spec.primary = false;
  }
  meta.dates = static_cast<DateOrder>(data[1] % 3);
  meta.secondary = data[1] >> 2 & 1;
  meta.withinTokens = 24;
  const int csv = fuzz::memoryFile(text.data(), text.size()), out = fuzz::memoryFile(nullptr, 0);
  const BuildReport report = fuzz::build(csv, out, meta, delimiter, (data[0] & 4) != 0);
  close(csv);
  if (!report.error.empty()) {
    close(out);
    return 0;
  }
  fuzz::seal(out);
  OpenError error = OpenError::kNone;
  std::string detail;
  const auto index = Index::open(out, fuzz::kKey, &error, &detail);
  if (!index || index->meta().rows != report.indexedRows) differ("what was built does not open", detail);
  const auto source = edmSource(index);
  fuzz::compare(*source, data + 8, size - 8);
  if (meta.secondary > 0) return 0;
  // Every lone value is found in a text of its own.
  size_t tried = 0;
  for (size_t r = 1; r < rows.size() && tried < 16; r++) {
    if (rows[r].size() != rows[0].size()) continue;
    for (const FieldSpec& spec : index->meta().fields) {
      if (!spec.primary || spec.combined) continue;
      for (size_t i = 0; i < rows[0].size(); i++) {
        const std::string& name = rows[0][i];
        const size_t from = name.find_first_not_of(" \t"), to = name.find_last_not_of(" \t");
        if (from == std::string::npos || name.substr(from, to - from + 1) != spec.column) continue;
        std::string normal;
        const char* remedy;
        const char* problem = normalizeCell(spec.type, rows[r][i], meta.dates, &normal, &remedy);
        const bool weak = std::any_of(report.bad.begin(), report.bad.end(), [&](const BadCell& bad) { return bad.row == r && bad.column == spec.column; });
        if (problem || weak || report.badRows > kMaxBadCells / 16) break;
        tried++;
        const std::string line = "- " + normal + " -\n";
        if (fuzz::compare(*source, reinterpret_cast<const uint8_t*>(line.data()), line.size()) == 0)
          differ("a value of the table is not found", rows[r][i] + " -> " + normal);
        break;
      }
    }
  }
  return 0;
}
