// Values of a protected table and their normal forms: what a value is compared as, however it was written.
//
//   number, card, ssn   digits only                       phone   the last 9 digits (all, without leading zeros, if fewer)
//   date                YYYYMMDD                           email   folded to lower case
//   iban, id            letters and digits, upper case    words   folded tokens, sorted, one space between
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sentinel::dlp {

enum class FieldType : uint8_t { kNumber, kIban, kCard, kSsn, kEmail, kWords, kDate, kPhone, kId };

// Values of one class are found by the same search and hashed in the same domain.
enum class ValueClass : uint8_t { kDigits = 1, kDate = 2, kPhone = 3, kEmail = 4, kAlnum = 5, kWords = 6 };

ValueClass classOf(FieldType type);
bool fieldTypeOf(const std::string &name, FieldType *type);

constexpr size_t kMaxDigits = 40;
constexpr size_t kMaxAlnum = 60;
constexpr size_t kMaxEmail = 254;
constexpr size_t kMaxWords = 12;
constexpr size_t kMaxWordBytes = 240;

enum class DateOrder : uint8_t { kAuto, kDayFirst, kMonthFirst };

// The normal form of a cell. Returns nullptr, or what is wrong with the cell; `remedy` is then set too.
const char *normalizeCell(FieldType type, const std::string &cell, DateOrder order, std::string *normal, const char **remedy);

bool isDate(uint32_t year, uint32_t month, uint32_t day);

// Bytes that may stand in the local part of an e-mail address, or in its domain.
bool isLocalByte(uint8_t byte);
bool isDomainByte(uint8_t byte);
// Trims [*begin, *end) around the @ at `at` to what can be an address; false when it is none.
bool trimEmail(const uint8_t *text, size_t at, size_t *begin, size_t *end);

// What shape a value has, so that only candidates of that shape are compared: tokens for words, else length.
uint8_t shapeOf(ValueClass valueClass, const std::string &normal);

// Letters before the first digit.
size_t leadingLetters(const std::string &alnum);

}  // namespace sentinel::dlp
