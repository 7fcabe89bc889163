// Small tables for the fuzz targets: rows that the inputs can contain, and indexes of them in memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "dlp/edm_build.h"
#include "dlp/edm_detector.h"
#include "dlp/edm_index.h"

namespace sentinel::dlp::fuzz {

constexpr Key kKey{{1, 2, 3}};
constexpr uint8_t kSalt[32] = {9};

// Values of every type; the dictionary of the targets lists the same (test/fuzz/seeds.ts).
constexpr char kRows[] =
    "iban,card,account,email,number,name,born,phone,ssn,pin\n"
    "DE89370400440532013000,4111111111111111,AB1234567890,anna.berg@example.com,550123456789,Anna Berg,1980-03-31,"
    "+49 30 901820,219-09-9998,48213\n"
    "GB82WEST12345698765432,5500005555555559,CD9876543210,j.nunez@example.org,550987654321,José Núñez,31.12.1999,"
    "0170 1234567,078-05-1120,90112\n"
    "FR1420041010050500013M02606,340000000000009,EF5550001112,li@example.cn,550555000111,李小龙,2001-02-03,"
    "+86 10 12345678,457-55-5462,77031\n"
    "DE89370400440532013000,,AB1234567890,,550123456789,Anna Berg-Meyer,1981-04-01,030 901821,,48213\n";

struct Table {
  const char *what;
  std::vector<FieldSpec> fields;
  uint32_t secondary, withinTokens;
  bool sameRow;
};

inline FieldSpec field(const char *column, FieldType type, bool primary) {
  FieldSpec spec;
  spec.column = column;
  spec.type = type;
  spec.primary = primary;
  return spec;
}

inline const std::vector<Table> &tables() {
  using T = FieldType;
  static const std::vector<Table> all = {
      {"lone values",
       {field("iban", T::kIban, true), field("card", T::kCard, true), field("account", T::kId, true), field("email", T::kEmail, true),
        field("number", T::kNumber, true)},
       0, 0, false},
      {"with one of every secondary near",
       {field("iban", T::kIban, true), field("card", T::kCard, true), field("name", T::kWords, false), field("born", T::kDate, false),
        field("phone", T::kPhone, false), field("email", T::kEmail, false), field("pin", T::kNumber, false), field("ssn", T::kSsn, false)},
       1, 24, false},
      {"with two in the row", {field("account", T::kId, true), field("name", T::kWords, false), field("born", T::kDate, false)}, 2, 0, true},
      {"combinations of short values",
       {field("ssn", T::kSsn, true), field("phone", T::kPhone, true), field("pin", T::kNumber, true), field("name", T::kWords, false),
        field("born", T::kDate, false)},
       1, 16, false},
      {"combinations beside lone values",
       {field("card", T::kCard, true), field("pin", T::kId, true), field("ssn", T::kSsn, true), field("name", T::kWords, false),
        field("phone", T::kPhone, false)},
       2, 40, false},
  };
  return all;
}

inline int memoryFile(const void *bytes, size_t n) {
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0 || (n > 0 && pwrite(fd, bytes, n, 0) != static_cast<ssize_t>(n))) std::abort();
  return fd;
}

inline BuildReport build(int csvFd, int outFd, const IndexMeta &meta, char delimiter, bool strict) {
  BuildOptions options;
  options.csvFd = csvFd;
  options.outFd = outFd;
  options.tempDir = "/tmp";
  options.meta = meta;
  options.delimiter = delimiter;
  options.strict = strict;
  options.master = kKey;
  for (size_t i = 0; i < sizeof kSalt; i++) options.salt[i] = kSalt[i];
  options.createdMs = 1;
  BuildProgress progress;
  BuildReport report;
  buildIndex(std::move(options), &progress, &report);
  return report;
}

// The last thing written into a header, which the builder leaves to its caller.
inline void seal(int fd) {
  uint8_t header[kHeaderBytes];
  if (pread(fd, header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) std::abort();
  const Digest digest = macOf(deriveKeys(kKey, header + 24), header, kHeaderSealAt);
  if (pwrite(fd, digest.bytes, 32, kHeaderSealAt) != 32) std::abort();
}

// A whole index of one of the tables.
inline int tableFile(const Table &table) {
  IndexMeta meta;
  meta.name = "fuzz";
  meta.fields = table.fields;
  meta.secondary = table.secondary;
  meta.withinTokens = table.withinTokens;
  meta.sameRow = table.sameRow;
  const int csv = memoryFile(kRows, sizeof kRows - 1), out = memoryFile(nullptr, 0);
  const BuildReport report = build(csv, out, meta, ',', false);
  close(csv);
  if (!report.error.empty() || report.indexedRows < 3) {
    std::fprintf(stderr, "%s: %s, %llu rows\n", table.what, report.error.c_str(), static_cast<unsigned long long>(report.indexedRows));
    std::abort();
  }
  seal(out);
  return out;
}

inline std::shared_ptr<const Source> openRows(int fd) {
  OpenError error = OpenError::kNone;
  std::string detail;
  const auto index = Index::open(fd, kKey, &error, &detail);
  return index ? edmSource(index) : nullptr;
}

// An index of each table, built and opened once for all inputs.
inline const std::vector<std::shared_ptr<const Source>> &openTables() {
  static const std::vector<std::shared_ptr<const Source>> sources = [] {
    std::vector<std::shared_ptr<const Source>> all;
    for (const Table &table : tables()) {
      all.push_back(openRows(tableFile(table)));
      if (!all.back()) std::abort();
    }
    return all;
  }();
  return sources;
}

}  // namespace sentinel::dlp::fuzz
