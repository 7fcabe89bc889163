#include "dlp/edm_dates.h"

#include <string.h>

namespace sentinel::dlp {
namespace {

// First three letters, folded, in English, German, Spanish, French, Italian, Portuguese, Dutch, the Scandinavian languages,
// Polish, Russian and Ukrainian.
const char *const kMonths[12] = {"jan ene gen sty янв січ",     "feb fev lut фев лют",         "mar mrz mrt maa мар бер",
                                 "apr abr avr kwi апр кві",     "may mai mag mei maj мая маи тра", "jun giu cze июн чер",
                                 "jul lug lip июл лип",         "aug ago aou sie авг сер",     "sep set wrz сен вер",
                                 "oct okt ott out paz окт жов", "nov lis ноя лис",             "dec dez dic des dek gru дек гру"};
// Between day, month and year: 31 de marzo de 2024, 31st of March, 1985年1月23日.
const char *const kBetween[] = {"de", "del", "of", "do", "di", "年", "月", "년", "월"};
constexpr size_t kMaxPartBytes = 24;

uint32_t monthOf(const char *word, size_t n) {
  // juin and juillet share three letters.
  if (n >= 4 && memcmp(word, "juil", 4) == 0) return 7;
  if (n >= 4 && memcmp(word, "juin", 4) == 0) return 6;
  size_t three = 0;
  for (int letters = 0; letters < 3 && three < n; ++letters) {
    do ++three;
    while (three < n && (word[three] & 0xC0) == 0x80);
  }
  for (uint32_t month = 0; month < 12; ++month) {
    for (const char *at = kMonths[month]; *at;) {
      const size_t length = strcspn(at, " ");
      if (length == three && memcmp(at, word, length) == 0) return month + 1;
      at += length + (at[length] == ' ' ? 1 : 0);
    }
  }
  return 0;
}

bool isBetween(const std::string &folded, const Token &token) {
  const size_t n = token.foldedEnd - token.foldedAt;
  for (const char *word : kBetween) {
    if (strlen(word) == n && memcmp(word, folded.data() + token.foldedAt, n) == 0) return true;
  }
  return false;
}

struct Part {
  uint32_t value = 0;
  size_t digits = 0;
  uint32_t month = 0;
};

Part partOf(const std::string &folded, const Token &token) {
  Part part;
  const size_t n = token.foldedEnd - token.foldedAt;
  if (n > kMaxPartBytes) return part;
  const char *word = folded.data() + token.foldedAt;
  size_t at = 0, digits = 0;
  while (at < n) {
    uint32_t length;
    const uint32_t codePoint = readCodePoint(reinterpret_cast<const uint8_t *>(word), n, at, &length);
    const uint32_t form = codePoint < 0x80 ? codePoint : asciiFormOf(codePoint);
    if (form < '0' || form > '9') break;
    part.value = part.value * 10 + (form - '0');
    ++digits;
    at += length;
  }
  const bool time = at + 1 < n && word[at] == 't' && word[at + 1] >= '0' && word[at + 1] <= '9';
  if (digits == 0) {
    part.month = monthOf(word, n);
  } else if (at == n || time || (n - at <= 2 && digits <= 2)) {
    // 2024, 31T12 of a time stamp, 31st
    part.digits = digits;
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

DateReading readDateTokens(const std::string &folded, const std::vector<Token> &tokens, size_t first, DateOrder order) {
  DateReading reading;
  const Part a = partOf(folded, tokens[first]);
  if (a.digits == 8) add(&reading, a.value / 10000, a.value / 100 % 100, a.value % 100);
  if (reading.count > 0 || (a.digits == 0 && a.month == 0)) return reading;
  size_t next = first + 1;
  const auto part = [&] {
    if (next < tokens.size() && isBetween(folded, tokens[next])) ++next;
    return next < tokens.size() ? partOf(folded, tokens[next++]) : Part();
  };
  const Part b = part(), c = part();
  const bool day = a.digits > 0 && a.digits <= 2, second = b.digits > 0 && b.digits <= 2, third = c.digits > 0 && c.digits <= 2;
  if (a.digits == 4 && (second || b.month) && third) {
    add(&reading, a.value, b.month ? b.month : b.value, c.value);
  } else if (day && b.month && c.digits) {
    add(&reading, yearOf(c), b.month, a.value);
  } else if (a.month && second && c.digits) {
    // Mar 31 10:00:00 [UTC] 2024
    if (third && next + 2 < tokens.size()) {
      Part year = partOf(folded, tokens[next + 2]);
      if (year.digits == 0 && next + 3 < tokens.size()) year = partOf(folded, tokens[next + 3]);
      if (year.digits == 4) add(&reading, year.value, a.month, b.value);
    }
    if (reading.count == 0) add(&reading, yearOf(c), a.month, b.value);
  } else if (day && second && (c.digits == 4 || c.digits == 2)) {
    if (order != DateOrder::kMonthFirst) add(&reading, yearOf(c), b.value, a.value);
    if (order != DateOrder::kDayFirst) add(&reading, yearOf(c), a.value, b.value);
  }
  return reading;
}

DateReading readDate(const std::string &cell, DateOrder order) {
  std::vector<Token> tokens;
  std::string folded;
  tokenize(reinterpret_cast<const uint8_t *>(cell.data()), 0, cell.size(), &tokens, &folded);
  DateReading reading;
  // The day of the week may stand before it; a time behind it is left aside.
  for (size_t first = 0; first < tokens.size() && first < 3 && reading.count == 0; ++first) {
    reading = readDateTokens(folded, tokens, first, order);
    if (folded[tokens[first].foldedAt] <= '9') break;
  }
  return reading;
}

}  // namespace sentinel::dlp
