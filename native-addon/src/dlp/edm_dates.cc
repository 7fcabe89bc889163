#include "dlp/edm_dates.h"

#include <string.h>

namespace sentinel::dlp {
namespace {

// First three letters in English, German, Spanish and French; folded, so without accents.
const char *const kMonths[12] = {"jan ene", "feb fev", "mar mrz", "apr abr avr", "may mai", "jun",
                                 "jul",         "aug ago aou", "sep set",  "oct okt",     "nov",          "dec dez dic"};

uint32_t monthOf(const char *word, size_t n) {
  if (n < 3) return 0;
  // juin and juillet share three letters.
  if (n >= 4 && memcmp(word, "juil", 4) == 0) return 7;
  if (n >= 4 && memcmp(word, "juin", 4) == 0) return 6;
  for (uint32_t month = 0; month < 12; ++month) {
    for (const char *at = kMonths[month]; at && *at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : nullptr) {
      if (memcmp(at, word, 3) == 0) return month + 1;
    }
  }
  return 0;
}

struct Part {
  uint32_t value = 0;
  size_t digits = 0;
  uint32_t month = 0;
};

Part partOf(const std::string &folded, const Token &token) {
  Part part;
  const char *at = folded.data() + token.foldedAt, *end = folded.data() + token.foldedEnd;
  if (end - at > 12) return part;
  const char *digits = at;
  while (digits < end && *digits >= '0' && *digits <= '9') part.value = part.value * 10 + static_cast<uint32_t>(*digits++ - '0');
  if (digits == end) {
    part.digits = static_cast<size_t>(end - at);
  } else if (digits == at) {
    part.month = monthOf(at, static_cast<size_t>(end - at));
  } else if (end - digits == 2 && digits - at <= 2) {
    part.digits = static_cast<size_t>(digits - at);  // 31st
  }
  return part;
}

uint32_t yearOf(const Part &part) {
  if (part.digits == 4) return part.value;
  if (part.digits == 2) return part.value < 40 ? 2000 + part.value : 1900 + part.value;
  return 0;
}

void add(DateReading *reading, uint32_t year, uint32_t month, uint32_t day) {
  if (!isDate(year, month, day)) return;
  const uint32_t date = year * 10000 + month * 100 + day;
  if (reading->count == 1 && reading->dates[0] == date) return;
  if (reading->count < 2) reading->dates[reading->count++] = date;
}

}  // namespace

std::string dateText(uint32_t date) { return std::to_string(date); }

DateReading readDateTokens(const std::string &folded, const std::vector<Token> &tokens, size_t first, DateOrder order, size_t *used) {
  DateReading reading;
  const Part a = partOf(folded, tokens[first]);
  *used = 1;
  if (a.digits == 8) add(&reading, a.value / 10000, a.value / 100 % 100, a.value % 100);
  if (reading.count > 0 || first + 2 >= tokens.size()) return reading;
  const Part b = partOf(folded, tokens[first + 1]), c = partOf(folded, tokens[first + 2]);
  *used = 3;
  if (a.digits == 4 && b.digits > 0 && b.digits <= 2 && c.digits > 0 && c.digits <= 2) {
    add(&reading, a.value, b.value, c.value);
  } else if (a.digits > 0 && a.digits <= 2 && b.month && c.digits) {
    add(&reading, yearOf(c), b.month, a.value);
  } else if (a.month && b.digits > 0 && b.digits <= 2 && c.digits) {
    add(&reading, yearOf(c), a.month, b.value);
  } else if (a.digits > 0 && a.digits <= 2 && b.digits > 0 && b.digits <= 2 && (c.digits == 4 || c.digits == 2)) {
    if (order != DateOrder::kMonthFirst) add(&reading, yearOf(c), b.value, a.value);
    if (order != DateOrder::kDayFirst) add(&reading, yearOf(c), a.value, b.value);
  }
  return reading;
}

DateReading readDate(const std::string &cell, DateOrder order) {
  std::vector<Token> tokens;
  std::string folded;
  tokenize(reinterpret_cast<const uint8_t *>(cell.data()), 0, cell.size(), &tokens, &folded);
  if (tokens.empty()) return {};
  size_t used;
  // A time after the date (2024-03-31T12:00:00) is left aside; a letter T joins day and hour in one token.
  for (Token &token : tokens) {
    const size_t t = folded.find('t', token.foldedAt);
    if (t != std::string::npos && t < token.foldedEnd && t > token.foldedAt && folded[t - 1] >= '0' && folded[t - 1] <= '9')
      token.foldedEnd = static_cast<uint32_t>(t);
  }
  return readDateTokens(folded, tokens, 0, order, &used);
}

}  // namespace sentinel::dlp
