// What the validators share. Text is ASCII digits and upper-case letters; lengths were checked before.
#pragma once

#include <cstring>

#include "dlp/validators.h"

namespace sentinel::dlp {

using Text = const uint8_t*;

inline bool isDigit(uint8_t c) { return c >= '0' && c <= '9'; }
inline bool isLetter(uint8_t c) { return c >= 'A' && c <= 'Z'; }
inline int value(uint8_t c) { return c - '0'; }

inline bool digits(Text text, size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    if (!isDigit(text[i])) return false;
  return true;
}

inline bool letters(Text text, size_t from, size_t to) {
  for (size_t i = from; i < to; i++)
    if (!isLetter(text[i])) return false;
  return true;
}

inline bool oneOf(uint8_t c, const char* set) { return c != 0 && std::strchr(set, c) != nullptr; }

// digits[from, to) as a number.
inline uint64_t number(Text text, size_t from, size_t to) {
  uint64_t result = 0;
  for (size_t i = from; i < to; i++) result = result * 10 + static_cast<uint64_t>(value(text[i]));
  return result;
}

inline int weighted(Text text, size_t count, const uint8_t* weights) {
  int sum = 0;
  for (size_t i = 0; i < count; i++) sum += weights[i] * value(text[i]);
  return sum;
}

inline bool isDate(uint64_t year, uint64_t month, uint64_t day) {
  static const uint8_t kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year == 0 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[month - 1] + (month == 2 && leap ? 1u : 0u);
}

// Two digits of a year of either century.
inline bool isDateOfSomeCentury(uint64_t year, uint64_t month, uint64_t day) {
  return isDate(1900 + year, month, day) || isDate(2000 + year, month, day);
}

inline bool allSame(Text text, size_t length) {
  for (size_t i = 1; i < length; i++)
    if (text[i] != text[0]) return false;
  return true;
}

// National numbers (validators_national.cc).
bool dni(Text text);
bool nie(Text text);
bool nino(Text text);
bool nhs(Text text);
bool nir(Text text);
bool idnr(Text text);
bool codiceFiscale(Text text);
bool cpf(Text text);
bool cnpj(Text text);
bool aadhaar(Text text);
bool pan(Text text);
bool bsn(Text text);
bool pesel(Text text);
bool personnummer(Text text, size_t length);
bool resident(Text text);
bool belgian(Text text);
bool ahv(Text text);
bool cpr(Text text);
bool hetu(Text text, size_t length);
bool fodselsnummer(Text text);
bool kimlik(Text text);
bool rrn(Text text);
bool curp(Text text);
bool southAfrican(Text text);
bool nif(Text text);
bool pps(Text text, size_t length);

}  // namespace sentinel::dlp
