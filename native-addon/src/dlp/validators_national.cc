// Numbers that states give to people and companies.
#include <initializer_list>

#include "dlp/validators_internal.h"

namespace sentinel::dlp {

constexpr char kDniLetters[] = "TRWAGMYFPDXBNJZSQVHLCKE";

bool dni(Text text) { return digits(text, 0, 8) && text[8] == kDniLetters[number(text, 0, 8) % 23]; }

bool nie(Text text) {
  if (text[0] < 'X' || text[0] > 'Z' || !digits(text, 1, 8)) return false;
  return text[8] == kDniLetters[(static_cast<uint64_t>(text[0] - 'X') * 10000000 + number(text, 1, 8)) % 23];
}

bool nino(Text text) {
  static const char* const kUnused[] = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};
  if (!letters(text, 0, 2) || oneOf(text[0], "DFIQUV") || oneOf(text[1], "DFIQUVO")) return false;
  for (const char* pair : kUnused)
    if (text[0] == pair[0] && text[1] == pair[1]) return false;
  return digits(text, 2, 8) && text[8] >= 'A' && text[8] <= 'D';
}

bool nhs(Text text) {
  static const uint8_t kWeights[] = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
  return weighted(text, 10, kWeights) % 11 == 0;
}

bool nir(Text text) {
  if (!oneOf(text[0], "123478") || !digits(text, 0, 5) || !digits(text, 7, 15)) return false;
  uint8_t plain[13];
  std::memcpy(plain, text, 13);
  if (text[5] == '2' && text[6] == 'A') plain[5] = '1', plain[6] = '9';
  else if (text[5] == '2' && text[6] == 'B') plain[5] = '1', plain[6] = '8';
  else if (!digits(text, 5, 7)) return false;
  return 97 - number(plain, 0, 13) % 97 == number(text, 13, 15);
}

static bool mod11And10(Text text, size_t length) {
  int check = 5;
  for (size_t i = 0; i < length; i++) check = (((check != 0 ? check : 10) * 2) % 11 + value(text[i])) % 10;
  return check == 1;
}

bool idnr(Text text) {
  if (text[0] == '0') return false;
  uint8_t seen[10] = {};
  for (size_t i = 0; i < 10; i++) seen[value(text[i])]++;
  int repeated = 0;
  for (const uint8_t count : seen) {
    if (count > 3) return false;
    repeated += count > 1;
  }
  return repeated == 1 && mod11And10(text, 11);
}

bool codiceFiscale(Text text) {
  static const uint8_t kOdd[] = {1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  static const char kMonths[] = "ABCDEHLMPRST";
  // Digits may be letters where two people would have the same code.
  static const char kOmocodia[] = "LMNPQRSTUV";
  uint8_t plain[16];
  std::memcpy(plain, text, 16);
  for (const int i : {6, 7, 9, 10, 12, 13, 14}) {
    if (isDigit(text[i])) continue;
    const char* place = oneOf(text[i], kOmocodia) ? std::strchr(kOmocodia, text[i]) : nullptr;
    if (place == nullptr) return false;
    plain[i] = static_cast<uint8_t>('0' + (place - kOmocodia));
  }
  if (!letters(text, 0, 6) || !letters(text, 11, 12) || !oneOf(text[8], kMonths)) return false;
  uint64_t day = number(plain, 9, 11);
  if (day > 40) day -= 40;
  const uint64_t month = static_cast<uint64_t>(std::strchr(kMonths, text[8]) - kMonths) + 1;
  if (!isDateOfSomeCentury(number(plain, 6, 8), month, day)) return false;
  int sum = 0;
  for (int i = 0; i < 15; i++) {
    const int index = isDigit(text[i]) ? value(text[i]) : text[i] - 'A';
    sum += i % 2 == 0 ? kOdd[index] : index;
  }
  return text[15] == 'A' + sum % 26;
}

bool cpf(Text text) {
  int first = 0, second = 0;
  for (int i = 0; i < 9; i++) first += (10 - i) * value(text[i]);
  first = (11 - first % 11) % 11 % 10;
  for (int i = 0; i < 9; i++) second += (11 - i) * value(text[i]);
  second = (11 - (second + 2 * first) % 11) % 11 % 10;
  return value(text[9]) == first && value(text[10]) == second;
}

bool cnpj(Text text) {
  static const uint8_t kWeights[] = {6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2};
  const int first = (11 - weighted(text, 12, kWeights + 1) % 11) % 11 % 10;
  const int second = (11 - (weighted(text, 12, kWeights) + 2 * first) % 11) % 11 % 10;
  return value(text[12]) == first && value(text[13]) == second;
}

static bool verhoeff(Text text, size_t length) {
  static const uint8_t kTimes[10][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
                                         {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
                                         {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
                                         {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
                                         {8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}};
  static const uint8_t kMove[8][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
                                       {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
                                       {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
                                       {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}};
  uint8_t check = 0;
  for (size_t i = 0; i < length; i++) check = kTimes[check][kMove[i % 8][value(text[length - 1 - i])]];
  return check == 0;
}

bool aadhaar(Text text) {
  if (text[0] < '2') return false;
  bool palindrome = true;
  for (int i = 0; i < 6; i++) palindrome = palindrome && text[i] == text[11 - i];
  return !palindrome && verhoeff(text, 12);
}

bool pan(Text text) {
  return letters(text, 0, 5) && digits(text, 5, 9) && isLetter(text[9]) && oneOf(text[3], "ABCFGHJLPTK") && number(text, 5, 9) != 0;
}

bool bsn(Text text) {
  int sum = -value(text[8]);
  for (int i = 0; i < 8; i++) sum += (9 - i) * value(text[i]);
  return sum % 11 == 0;
}

bool pesel(Text text) {
  static const uint8_t kWeights[] = {1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1};
  static const uint16_t kCenturies[] = {1900, 2000, 2100, 2200, 1800};
  const uint64_t month = number(text, 2, 4);
  return weighted(text, 11, kWeights) % 10 == 0 &&
         isDate(kCenturies[month / 20] + number(text, 0, 2), month % 20, number(text, 4, 6));
}

bool personnummer(Text text, size_t length) {
  if (length == 12) return isDate(number(text, 0, 4), number(text, 4, 6), number(text, 6, 8)) && luhnValid(text + 2, 10);
  return isDateOfSomeCentury(number(text, 0, 2), number(text, 2, 4), number(text, 4, 6)) && luhnValid(text, 10);
}

bool resident(Text text) {
  static const uint8_t kWeights[] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  static const char kCheck[] = "10X98765432";
  // Provinces by the first two digits.
  const uint64_t province = number(text, 0, 2);
  const bool known = (province >= 11 && province <= 15) || (province >= 21 && province <= 23) ||
                     (province >= 31 && province <= 37) || (province >= 41 && province <= 46) ||
                     (province >= 50 && province <= 54) || (province >= 61 && province <= 65) || province == 71 ||
                     (province >= 81 && province <= 83);
  const uint64_t year = number(text, 6, 10);
  return known && year >= 1850 && year <= 2100 && isDate(year, number(text, 10, 12), number(text, 12, 14)) &&
         text[17] == kCheck[weighted(text, 17, kWeights) % 11];
}

bool belgian(Text text) {
  const uint64_t body = number(text, 0, 9), check = number(text, 9, 11), month = number(text, 2, 4) % 20;
  if (month > 12 || number(text, 4, 6) > 31) return false;
  return 97 - body % 97 == check || 97 - (2000000000 + body) % 97 == check;
}

bool ahv(Text text) {
  int sum = 0;
  for (int i = 0; i < 13; i++) sum += value(text[i]) * (i % 2 == 0 ? 1 : 3);
  return number(text, 0, 3) == 756 && sum % 10 == 0;
}

bool cpr(Text text) {
  uint64_t year = number(text, 4, 6);
  const int seventh = value(text[6]);
  if (seventh >= 5 && seventh <= 8 && year >= 58) year += 1800;
  else if (seventh <= 3 || ((seventh == 4 || seventh == 9) && year >= 37)) year += 1900;
  else year += 2000;
  return isDate(year, number(text, 2, 4), number(text, 0, 2));
}

bool hetu(Text text, size_t length) {
  uint8_t plain[10];
  std::memcpy(plain, text, 6);
  if (length == 11 && !oneOf(text[6], "ABCDEFYXWVU")) return false;
  std::memcpy(plain + 6, text + length - 4, 4);
  if (!digits(plain, 0, 9) || !isDateOfSomeCentury(number(plain, 4, 6), number(plain, 2, 4), number(plain, 0, 2))) return false;
  const uint64_t individual = number(plain, 6, 9);
  return individual >= 2 && individual < 900 && plain[9] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[number(plain, 0, 9) % 31];
}

bool fodselsnummer(Text text) {
  static const uint8_t kFirst[] = {3, 7, 6, 1, 8, 9, 4, 5, 2, 1}, kSecond[] = {5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1};
  uint64_t day = number(text, 0, 2), month = number(text, 2, 4);
  if (day > 40) day -= 40;
  if (month > 40) month -= 40;
  return weighted(text, 10, kFirst) % 11 == 0 && weighted(text, 11, kSecond) % 11 == 0 &&
         isDateOfSomeCentury(number(text, 4, 6), month, day);
}

bool kimlik(Text text) {
  if (text[0] == '0') return false;
  int odd = 0, even = 0;
  for (int i = 0; i < 9; i++) (i % 2 == 0 ? odd : even) += value(text[i]);
  const int first = (10 - (odd * 3 + even) % 10) % 10;
  return value(text[9]) == first && value(text[10]) == (odd + even + first) % 10;
}

bool rrn(Text text) {
  static const uint8_t kWeights[] = {2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5};
  return isDateOfSomeCentury(number(text, 0, 2), number(text, 2, 4), number(text, 4, 6)) && number(text, 7, 9) <= 96 &&
         (11 - weighted(text, 12, kWeights) % 11) % 10 == value(text[12]);
}

bool curp(Text text) {
  if (!letters(text, 0, 4) || !digits(text, 4, 10) || (text[10] != 'H' && text[10] != 'M') || !letters(text, 11, 16) ||
      !isDigit(text[17]))
    return false;
  if (!isDate((isDigit(text[16]) ? 1900 : 2000) + number(text, 4, 6), number(text, 6, 8), number(text, 8, 10))) return false;
  static const char kStates[] = "AS BC BS CC CH CL CM CS DF DG GR GT HG JC MC MN MS NE NL NT OC PL QR QT SL SP SR TC TL TS VZ YN ZS ";
  bool known = false;
  for (const char* state = kStates; *state != 0; state += 3) known |= state[0] == text[11] && state[1] == text[12];
  if (!known) return false;
  int sum = 0;
  for (int i = 0; i < 17; i++) {
    const uint8_t c = text[i];
    // The Spanish alphabet: Ñ takes a place after N.
    const int index = isDigit(c) ? value(c) : c - 'A' + 10 + (c > 'N' ? 1 : 0);
    sum += index * (18 - i);
  }
  return (10 - sum % 10) % 10 == value(text[17]);
}

bool southAfrican(Text text) {
  return isDateOfSomeCentury(number(text, 0, 2), number(text, 2, 4), number(text, 4, 6)) && (text[10] == '0' || text[10] == '1') &&
         luhnValid(text, 13);
}

bool nif(Text text) {
  static const uint8_t kWeights[] = {9, 8, 7, 6, 5, 4, 3, 2};
  if (text[0] == '0') return false;
  return value(text[8]) == (11 - weighted(text, 8, kWeights) % 11) % 11 % 10;
}

bool pps(Text text, size_t length) {
  if (!digits(text, 0, 7) || !letters(text, 7, length)) return false;
  static const uint8_t kWeights[] = {8, 7, 6, 5, 4, 3, 2};
  int sum = weighted(text, 7, kWeights);
  if (length == 9 && oneOf(text[8], "ABCDEFGHI")) sum += 9 * (text[8] - 'A' + 1);
  else if (length == 9 && !oneOf(text[8], "WTX")) return false;
  return text[7] == "WABCDEFGHIJKLMNOPQRSTUV"[sum % 23];
}

}  // namespace sentinel::dlp
