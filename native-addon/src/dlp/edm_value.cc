#include "dlp/edm_value.h"

#include <string.h>

#include <algorithm>
#include <vector>

#include "dlp/edm_dates.h"
#include "dlp/fold.h"
#include "dlp/validators.h"

namespace sentinel::dlp {
namespace {

const char *const kTypeNames[] = {"number", "iban", "card", "ssn", "email", "words", "date", "phone", "id"};

bool isDigit(uint8_t byte) { return byte >= '0' && byte <= '9'; }
bool isLetter(uint8_t byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'); }

// Letters and digits of the cell, upper case; false when it holds anything but these and joiners.
bool collect(const std::string &cell, bool letters, std::string *out) {
  const auto *text = reinterpret_cast<const uint8_t *>(cell.data());
  for (size_t at = 0; at < cell.size();) {
    uint32_t length;
    uint32_t codePoint = readCodePoint(text, cell.size(), at, &length);
    at += length;
    if (const uint8_t ascii = asciiFormOf(codePoint)) codePoint = ascii;
    if (codePoint < 0x80 && (isDigit(static_cast<uint8_t>(codePoint)) || (letters && isLetter(static_cast<uint8_t>(codePoint)))))
      out->push_back(static_cast<char>(codePoint >= 'a' ? codePoint - 32 : codePoint));
    else if (!isJoiner(codePoint) && codePoint != '+' && codePoint != '\t')
      return false;
  }
  return true;
}

}  // namespace

ValueClass classOf(FieldType type) {
  switch (type) {
    case FieldType::kIban:
    case FieldType::kId:
      return ValueClass::kAlnum;
    case FieldType::kEmail:
      return ValueClass::kEmail;
    case FieldType::kWords:
      return ValueClass::kWords;
    case FieldType::kDate:
      return ValueClass::kDate;
    case FieldType::kPhone:
      return ValueClass::kPhone;
    default:
      return ValueClass::kDigits;
  }
}

bool fieldTypeOf(const std::string &name, FieldType *type) {
  for (size_t i = 0; i < sizeof kTypeNames / sizeof *kTypeNames; ++i) {
    if (name != kTypeNames[i]) continue;
    *type = static_cast<FieldType>(i);
    return true;
  }
  return false;
}

bool isDate(uint32_t year, uint32_t month, uint32_t day) {
  static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year < 1800 || year > 2199 || month < 1 || month > 12 || day < 1 || day > days[month - 1]) return false;
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month != 2 || day < 29 || leap;
}

bool isLocalByte(uint8_t byte) {
  return isDigit(byte) || isLetter(byte) || byte == '.' || byte == '_' || byte == '\'' || byte == '+' || byte == '-';
}

bool isDomainByte(uint8_t byte) { return isDigit(byte) || isLetter(byte) || byte == '.' || byte == '-'; }

bool trimEmail(const uint8_t *text, size_t at, size_t *begin, size_t *end) {
  while (*begin < at && !isDigit(text[*begin]) && !isLetter(text[*begin])) ++*begin;
  while (*end > at + 1 && !isDigit(text[*end - 1]) && !isLetter(text[*end - 1])) --*end;
  if (*begin == at || *end - *begin > kMaxEmail) return false;
  const uint8_t *dot = static_cast<const uint8_t *>(memchr(text + at + 1, '.', *end - at - 1));
  return dot && dot != text + at + 1;
}

uint8_t shapeOf(ValueClass valueClass, const std::string &normal) {
  if (valueClass != ValueClass::kWords) return static_cast<uint8_t>(std::min<size_t>(normal.size(), 255));
  return static_cast<uint8_t>(1 + std::count(normal.begin(), normal.end(), ' '));
}

size_t leadingLetters(const std::string &alnum) {
  size_t n = 0;
  while (n < alnum.size() && !isDigit(static_cast<uint8_t>(alnum[n]))) ++n;
  return n;
}

const char *normalizeCell(FieldType type, const std::string &cell, DateOrder order, std::string *normal, const char **remedy) {
  normal->clear();
  *remedy = "correct it, or leave the cell empty";
  const auto digits = [&] { return reinterpret_cast<const uint8_t *>(normal->data()); };
  switch (type) {
    case FieldType::kNumber:
    case FieldType::kCard:
    case FieldType::kSsn:
    case FieldType::kPhone:
      if (!collect(cell, false, normal)) return "is not a number";
      if (normal->empty()) return "holds no digit";
      if (normal->size() > kMaxDigits) return "has more than 40 digits";
      if (type == FieldType::kCard && (normal->size() < 12 || normal->size() > 19)) return "is no card number: it needs 12 to 19 digits";
      if (type == FieldType::kCard && !luhnValid(digits(), normal->size())) return "is no card number: its check digit is wrong";
      if (type == FieldType::kSsn && normal->size() != 9) {
        *remedy = "write all nine digits; spreadsheets drop leading zeros, so export the column as text";
        return "is no social security number: it needs 9 digits";
      }
      if (type == FieldType::kSsn && !ssnValid(digits(), 9)) return "is no social security number: that area, group or serial is never issued";
      if (type == FieldType::kPhone) {
        if (normal->size() < 6) return "is too short for a phone number";
        if (normal->size() > 9) normal->erase(0, normal->size() - 9);
        else normal->erase(0, std::min(normal->find_first_not_of('0'), normal->size()));
        if (normal->size() < 5) return "is too short for a phone number";
      }
      return nullptr;
    case FieldType::kIban:
      if (!collect(cell, true, normal)) return "is no IBAN: it holds other signs than letters and digits";
      if (!ibanValid(digits(), normal->size())) return "is no IBAN: its country, length or check digits are wrong";
      return nullptr;
    case FieldType::kId:
      if (!collect(cell, true, normal)) {
        *remedy = "an id is letters and digits with spaces, dots, dashes or slashes between";
        return "holds other signs than letters and digits";
      }
      if (normal->size() > kMaxAlnum) return "is longer than 60 letters and digits";
      if (leadingLetters(*normal) == normal->size()) {
        *remedy = "use the type words for it";
        return "holds no digit, and so is no id";
      }
      if (leadingLetters(*normal) > 15) return "has more than 15 letters before its first digit";
      return nullptr;
    case FieldType::kEmail: {
      std::string text;
      const auto *raw = reinterpret_cast<const uint8_t *>(cell.data());
      for (size_t at = 0; at < cell.size();) {
        uint32_t length;
        const uint32_t codePoint = readCodePoint(raw, cell.size(), at, &length);
        const uint8_t ascii = asciiFormOf(codePoint);
        if (!ascii && codePoint >= 0x80) {
          *remedy = "write its domain in ASCII (xn--...), or take the column out of the schema";
          return "is an e-mail address with letters outside ASCII, which cannot be matched";
        }
        text.push_back(static_cast<char>(ascii ? ascii : codePoint));
        at += length;
      }
      const size_t from = text.find_first_not_of(" \t\r\n"), to = text.find_last_not_of(" \t\r\n");
      if (from == std::string::npos) return "is no e-mail address";
      text = text.substr(from, to - from + 1);
      const size_t sign = text.find('@');
      if (sign == std::string::npos || text.find('@', sign + 1) != std::string::npos) return "is no e-mail address";
      const auto *bytes = reinterpret_cast<const uint8_t *>(text.data());
      for (size_t i = 0; i < text.size(); ++i) {
        if (i != sign && !(i < sign ? isLocalByte(bytes[i]) : isDomainByte(bytes[i]))) return "is no e-mail address that text can hold unquoted";
      }
      size_t begin = 0, end = text.size();
      if (!trimEmail(bytes, sign, &begin, &end)) return "is no e-mail address: its domain has no dot, or it is too long";
      for (size_t i = begin; i < end; ++i) normal->push_back(static_cast<char>(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]));
      return nullptr;
    }
    case FieldType::kDate: {
      const DateReading reading = readDate(cell, order);
      if (reading.count == 0) {
        *remedy = "write it as 2024-03-31";
        return "is no date";
      }
      if (reading.count > 1) {
        *remedy = "say `dates: day-first` or `dates: month-first` in the schema, or write 2024-03-31";
        return "is a date that can be read in two ways";
      }
      *normal = dateText(reading.dates[0]);
      return nullptr;
    }
    case FieldType::kWords: {
      std::vector<Token> tokens;
      std::string folded;
      tokenize(reinterpret_cast<const uint8_t *>(cell.data()), 0, cell.size(), &tokens, &folded);
      if (tokens.empty()) return "holds no word";
      if (tokens.size() > kMaxWords || folded.size() > kMaxWordBytes) return "has more than 12 words or 240 letters";
      std::vector<std::string> words;
      for (const Token &token : tokens) words.push_back(folded.substr(token.foldedAt, token.foldedEnd - token.foldedAt));
      std::sort(words.begin(), words.end());
      for (const std::string &word : words) {
        if (!normal->empty()) normal->push_back(' ');
        normal->append(word);
      }
      return nullptr;
    }
  }
  return "has an unknown type";
}

}  // namespace sentinel::dlp
