#include "dlp/validators.h"

#include <array>

#include "dlp/validators_internal.h"

namespace sentinel::dlp {
namespace {

bool card(Text text, size_t length) {
  // No brand begins with another digit.
  if (length < 12 || length > 19 || text[0] < '2' || text[0] == '7' || text[0] == '9') return false;
  const uint64_t two = number(text, 0, 2), three = number(text, 0, 3), four = number(text, 0, 4), six = number(text, 0, 6);
  const bool to19 = length >= 16;
  bool known = false;
  if (text[0] == '4') known = length == 16 || length == 13 || length == 19;  // Visa
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) known |= length == 16;  // Mastercard
  if (two == 34 || two == 37) known |= length == 15;  // American Express
  if (four == 6011 || (three >= 644 && three <= 649) || two == 65) known |= to19;  // Discover
  if ((three >= 300 && three <= 305) || three == 309 || two == 36 || two == 38 || two == 39) known |= length == 14 || to19;  // Diners
  if (four >= 3528 && four <= 3589) known |= to19;  // JCB
  if (two == 62 || (six >= 810000 && six <= 817199)) known |= to19;  // UnionPay
  if (four >= 2200 && four <= 2204) known |= to19;  // Mir
  if (two == 60 || two == 81 || two == 82 || three == 508) known |= length == 16;  // RuPay
  if (four == 5018 || four == 5020 || four == 5038 || four == 5893 || four == 6304 || four == 6759 || four == 6761 ||
      four == 6762 || four == 6763)
    known = true;  // Maestro, 12 to 19
  return known && luhnValid(text, length);
}

// Countries of the IBAN registry with the structure of what follows the check digits: n digits, a letters, c either.
struct Country {
  char code[3];
  const char* structure;
};
constexpr Country kCountries[] = {
    {"AD", "8n12c"}, {"AE", "19n"}, {"AL", "8n16c"}, {"AT", "16n"}, {"AZ", "4a20c"}, {"BA", "16n"}, {"BE", "12n"},
    {"BG", "4a6n8c"}, {"BH", "4a14c"}, {"BI", "23n"}, {"BR", "23n1a1c"}, {"BY", "4c4n16c"}, {"CH", "5n12c"},
    {"CR", "18n"}, {"CY", "8n16c"}, {"CZ", "20n"}, {"DE", "18n"}, {"DJ", "23n"}, {"DK", "14n"}, {"DO", "4c20n"},
    {"EE", "16n"}, {"EG", "25n"}, {"ES", "20n"}, {"FI", "14n"}, {"FK", "2a12n"}, {"FO", "14n"}, {"FR", "10n11c2n"},
    {"GB", "4a14n"}, {"GE", "2a16n"}, {"GI", "4a15c"}, {"GL", "14n"}, {"GR", "7n16c"}, {"GT", "24c"},
    {"HN", "4a20n"}, {"HR", "17n"}, {"HU", "24n"}, {"IE", "4a14n"}, {"IL", "19n"}, {"IQ", "4a15n"}, {"IS", "22n"},
    {"IT", "1a10n12c"}, {"JO", "4a4n18c"}, {"KW", "4a22c"}, {"KZ", "3n13c"}, {"LB", "4n20c"}, {"LC", "4a24c"},
    {"LI", "5n12c"}, {"LT", "16n"}, {"LU", "3n13c"}, {"LV", "4a13c"}, {"LY", "21n"}, {"MC", "10n11c2n"},
    {"MD", "20c"}, {"ME", "18n"}, {"MK", "3n10c2n"}, {"MN", "16n"}, {"MR", "23n"}, {"MT", "4a5n18c"},
    {"MU", "4a19n3a"}, {"NI", "4a20n"}, {"NL", "4a10n"}, {"NO", "11n"}, {"OM", "3n16c"}, {"PK", "4a16c"},
    {"PL", "24n"}, {"PS", "4a21c"}, {"PT", "21n"}, {"QA", "4a21c"}, {"RO", "4a16c"}, {"RS", "18n"}, {"RU", "14n15c"},
    {"SA", "2n18c"}, {"SC", "4a20n3a"}, {"SD", "14n"}, {"SE", "20n"}, {"SI", "15n"}, {"SK", "20n"},
    {"SM", "1a10n12c"}, {"SO", "19n"}, {"ST", "21n"}, {"SV", "4a20n"}, {"TL", "19n"}, {"TN", "20n"}, {"TR", "6n16c"},
    {"UA", "6n19c"}, {"VA", "18n"}, {"VG", "4a16n"}, {"XK", "16n"}, {"YE", "4a4n18c"},
};

const Country* country(Text text) {
  for (const Country& one : kCountries)
    if (one.code[0] == text[0] && one.code[1] == text[1]) return &one;
  return nullptr;
}

bool iban(Text text, size_t length) {
  if (length < 15 || length > 34 || !letters(text, 0, 2) || !digits(text, 2, 4)) return false;
  if (length != ibanLength(text[0], text[1])) return false;
  const Country* known = country(text);
  if (known == nullptr) return false;
  size_t at = 4;
  for (const char* s = known->structure; *s != 0; s++) {
    size_t count = 0;
    for (; *s >= '0' && *s <= '9'; s++) count = count * 10 + static_cast<size_t>(*s - '0');
    for (; count > 0; count--, at++) {
      if (at >= length) return false;
      if (*s == 'n' ? !isDigit(text[at]) : *s == 'a' ? !isLetter(text[at]) : !isDigit(text[at]) && !isLetter(text[at]))
        return false;
    }
  }
  return at == length && ibanValid(text, length);
}

bool ssn(Text text) {
  const uint64_t whole = number(text, 0, 9);
  // Printed in advertisements, used by thousands since.
  return ssnValid(text, 9) && whole != 78051120 && whole != 457555462 && whole != 219099999;
}

bool itin(Text text) {
  const uint64_t group = number(text, 3, 5);
  return text[0] == '9' && ((group >= 50 && group <= 65) || (group >= 70 && group <= 88) || (group >= 90 && group <= 92) || group >= 94);
}

bool npi(Text text) {
  uint8_t whole[15] = {'8', '0', '8', '4', '0'};
  std::memcpy(whole + 5, text, 10);
  return (text[0] == '1' || text[0] == '2') && luhnValid(whole, 15);
}

bool dea(Text text) {
  if (!oneOf(text[0], "ABCDEFGHJKLMPRSTUX") || !(isLetter(text[1]) || text[1] == '9') || !digits(text, 2, 9)) return false;
  const Text d = text + 2;
  const int sum = value(d[0]) + value(d[2]) + value(d[4]) + 2 * (value(d[1]) + value(d[3]) + value(d[5]));
  return sum % 10 == value(d[6]);
}

bool mbi(Text text) {
  const auto letter = [](uint8_t c) { return isLetter(c) && !oneOf(c, "SLOIBZ"); };
  const auto either = [&](uint8_t c) { return isDigit(c) || letter(c); };
  return text[0] >= '1' && text[0] <= '9' && letter(text[1]) && either(text[2]) && isDigit(text[3]) && letter(text[4]) &&
         either(text[5]) && isDigit(text[6]) && letter(text[7]) && letter(text[8]) && digits(text, 9, 11);
}

bool icd10(Text text, size_t length) {
  if (length < 3 || length > 7 || !isLetter(text[0]) || !isDigit(text[1])) return false;
  if (text[0] == 'U' && !(text[1] == '0' && (text[2] == '7' || text[2] == '9'))) return false;
  if (!isDigit(text[2]) && text[2] != 'A' && text[2] != 'B') return false;
  for (size_t i = 3; i < length; i++)
    if (!isDigit(text[i]) && !(i == 3 ? oneOf(text[i], "ABCX") || isLetter(text[i]) : isLetter(text[i]))) return false;
  return true;
}

bool routing(Text text) {
  const uint64_t first = number(text, 0, 2);
  if (!(first <= 12 || (first >= 21 && first <= 32) || (first >= 61 && first <= 72) || first == 80)) return false;
  static const uint8_t kWeights[] = {3, 7, 1, 3, 7, 1, 3, 7, 1};
  return weighted(text, 9, kWeights) % 10 == 0;
}

// The number that eight digits make; false when one of them is none.
bool eightDigits(Text text, uint32_t* result) {
  uint64_t eight;
  std::memcpy(&eight, text, 8);
  const uint64_t digits = eight - 0x3030303030303030ull;
  if (((digits | (digits + 0x7676767676767676ull)) & 0x8080808080808080ull) != 0) return false;
  const uint64_t pairs = digits * 10 + (digits >> 8);
  *result = static_cast<uint32_t>(((pairs & 0x000000FF000000FFull) * 0x000F424000000064ull +
                                   (pairs >> 16 & 0x000000FF000000FFull) * 0x0000271000000001ull) >>
                                  32);
  return true;
}

// How long a number is, and whether it is made of digits only.
struct Shape {
  uint8_t shortest, longest;
  bool digitsOnly;
};

Shape shapeOf(NumberKind kind) {
  switch (kind) {
    case NumberKind::kCard: return {12, 19, true};
    case NumberKind::kIban: return {15, 34, false};
    case NumberKind::kUsSsn: case NumberKind::kUsItin: case NumberKind::kUsRouting: case NumberKind::kCaSin:
    case NumberKind::kNlBsn: case NumberKind::kPtNif: case NumberKind::kIlId:
      return {9, 9, true};
    case NumberKind::kAuTfn: return {8, 9, true};
    case NumberKind::kUsNpi: case NumberKind::kUkNhs: case NumberKind::kDkCpr: return {10, 10, true};
    case NumberKind::kUsDea: case NumberKind::kEsDni: case NumberKind::kEsNie: case NumberKind::kUkNino: return {9, 9, false};
    case NumberKind::kUsMbi: return {11, 11, false};
    case NumberKind::kIcd10: return {3, 7, false};
    case NumberKind::kFrNir: return {15, 15, false};
    case NumberKind::kDeIdnr: case NumberKind::kBrCpf: case NumberKind::kPlPesel: case NumberKind::kBeNational:
    case NumberKind::kNoFodselsnummer: case NumberKind::kTrKimlik:
      return {11, 11, true};
    case NumberKind::kItCodiceFiscale: return {16, 16, false};
    case NumberKind::kBrCnpj: return {14, 14, true};
    case NumberKind::kInAadhaar: return {12, 12, true};
    case NumberKind::kInPan: return {10, 10, false};
    case NumberKind::kSePersonnummer: return {10, 12, true};
    case NumberKind::kCnResident: case NumberKind::kMxCurp: return {18, 18, false};
    case NumberKind::kChAhv: case NumberKind::kKrRrn: case NumberKind::kZaId: return {13, 13, true};
    case NumberKind::kFiHetu: return {10, 11, false};
    case NumberKind::kIePps: return {8, 9, false};
    case NumberKind::kCount: break;
  }
  return {1, 0, true};
}

}  // namespace

bool luhnValid(const uint8_t* digits, size_t n) {
  // Twice the digit, nine less from ten on.
  static const uint8_t kDoubled[] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
  uint32_t sum = 0;
  for (size_t i = n; i-- > 0;) sum += (n - i) % 2 == 0 ? kDoubled[digits[i] - '0'] : digits[i] - '0';
  return sum % 10 == 0;
}

size_t ibanLength(uint8_t first, uint8_t second) {
  static const std::array<uint8_t, 26 * 26> kLengths = [] {
    std::array<uint8_t, 26 * 26> lengths{};
    for (const Country& one : kCountries) {
      size_t total = 4, count = 0;
      for (const char* s = one.structure; *s != 0; s++) {
        if (*s >= '0' && *s <= '9') count = count * 10 + static_cast<size_t>(*s - '0');
        else total += count, count = 0;
      }
      lengths[static_cast<size_t>((one.code[0] - 'A') * 26 + one.code[1] - 'A')] = static_cast<uint8_t>(total);
    }
    return lengths;
  }();
  return isLetter(first) && isLetter(second) ? kLengths[static_cast<size_t>((first - 'A') * 26 + second - 'A')] : 0;
}

bool ibanValid(const uint8_t* text, size_t n) {
  if (n < 5 || n != ibanLength(text[0], text[1]) || !isDigit(text[2]) || !isDigit(text[3])) return false;
  uint64_t rest = 0;
  size_t at = 4;
  // Eight digits at a time; a letter counts as two digits.
  for (uint32_t eight; at + 8 <= n && eightDigits(text + at, &eight); at += 8) rest = (rest * 100000000 + eight) % 97;
  for (; at < n + 4; at++) {
    const uint8_t byte = text[at < n ? at : at - n];
    rest = isDigit(byte) ? rest * 10 + static_cast<uint64_t>(value(byte)) : rest * 100 + (byte - 'A' + 10u);
    if (rest >= 1000000000000000ull) rest %= 97;
  }
  return rest % 97 == 1;
}

bool ssnValid(const uint8_t* digits, size_t n) {
  if (n != 9) return false;
  const uint64_t area = number(digits, 0, 3);
  return area != 0 && area != 666 && area < 900 && number(digits, 3, 5) != 0 && number(digits, 5, 9) != 0;
}

void numberLengths(NumberKind kind, size_t* shortest, size_t* longest) {
  const Shape shape = shapeOf(kind);
  *shortest = shape.shortest;
  *longest = shape.longest;
}

bool isDigitsOnly(NumberKind kind) { return shapeOf(kind).digitsOnly; }

NumberStart numberStart(NumberKind kind) {
  switch (kind) {
    case NumberKind::kIban: return {2, 2, 2, 34};
    case NumberKind::kUsDea: return {1, 2, 7, 8};
    case NumberKind::kUsMbi: return {0, 0, 1, 1};
    case NumberKind::kIcd10: return {1, 1, 1, 6};
    case NumberKind::kEsDni: return {0, 0, 8, 8};
    case NumberKind::kEsNie: return {1, 1, 7, 7};
    case NumberKind::kUkNino: return {2, 2, 6, 6};
    case NumberKind::kFrNir: return {0, 0, 5, 15};
    // Letters may stand for digits.
    case NumberKind::kItCodiceFiscale: return {6, 16, 0, 5};
    case NumberKind::kInPan: return {5, 5, 4, 4};
    case NumberKind::kCnResident: return {0, 0, 17, 18};
    case NumberKind::kFiHetu: return {0, 0, 6, 10};
    case NumberKind::kMxCurp: return {4, 4, 6, 6};
    case NumberKind::kIePps: return {0, 0, 7, 7};
    default: {
      const Shape shape = shapeOf(kind);
      return {0, 0, shape.shortest, shape.longest};
    }
  }
}

bool isValidNumber(NumberKind kind, const uint8_t* text, size_t length) {
  const Shape shape = shapeOf(kind);
  if (length < shape.shortest || length > shape.longest) return false;
  if (shape.digitsOnly && (!digits(text, 0, length) || allSame(text, length))) return false;
  switch (kind) {
    case NumberKind::kCard: return card(text, length);
    case NumberKind::kIban: return iban(text, length);
    case NumberKind::kUsSsn: return ssn(text);
    case NumberKind::kUsItin: return itin(text);
    case NumberKind::kUsNpi: return npi(text);
    case NumberKind::kUsDea: return dea(text);
    case NumberKind::kUsMbi: return mbi(text);
    case NumberKind::kIcd10: return icd10(text, length);
    case NumberKind::kUsRouting: return routing(text);
    case NumberKind::kEsDni: return dni(text);
    case NumberKind::kEsNie: return nie(text);
    case NumberKind::kUkNino: return nino(text);
    case NumberKind::kUkNhs: return nhs(text);
    case NumberKind::kFrNir: return nir(text);
    case NumberKind::kDeIdnr: return idnr(text);
    case NumberKind::kItCodiceFiscale: return codiceFiscale(text);
    case NumberKind::kBrCpf: return cpf(text);
    case NumberKind::kBrCnpj: return cnpj(text);
    case NumberKind::kInAadhaar: return aadhaar(text);
    case NumberKind::kInPan: return pan(text);
    case NumberKind::kCaSin: return text[0] != '0' && text[0] != '8' && luhnValid(text, 9);
    case NumberKind::kAuTfn: {
      static const uint8_t kWeights[] = {1, 4, 3, 7, 5, 8, 6, 9, 10};
      return weighted(text, length, kWeights) % 11 == 0;
    }
    case NumberKind::kNlBsn: return bsn(text);
    case NumberKind::kPlPesel: return pesel(text);
    case NumberKind::kSePersonnummer: return length != 11 && personnummer(text, length);
    case NumberKind::kCnResident: return digits(text, 0, 17) && resident(text);
    case NumberKind::kBeNational: return belgian(text);
    case NumberKind::kChAhv: return ahv(text);
    case NumberKind::kDkCpr: return cpr(text);
    case NumberKind::kFiHetu: return hetu(text, length);
    case NumberKind::kNoFodselsnummer: return fodselsnummer(text);
    case NumberKind::kTrKimlik: return kimlik(text);
    case NumberKind::kKrRrn: return rrn(text);
    case NumberKind::kMxCurp: return curp(text);
    case NumberKind::kZaId: return southAfrican(text);
    case NumberKind::kPtNif: return nif(text);
    case NumberKind::kIePps: return pps(text, length);
    case NumberKind::kIlId: return luhnValid(text, 9);
    case NumberKind::kCount: break;
  }
  return false;
}

}  // namespace sentinel::dlp
