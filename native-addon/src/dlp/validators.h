// Whether a string of characters is a well-formed number of some kind: lengths, areas, dates, check digits.
//
// Input everywhere: the characters that count, without separators, ASCII digits and upper-case letters. A number whose
// digits are all the same passes no validator: placeholders do not count.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sentinel::dlp {

enum class NumberKind : uint8_t {
  kCard,        // payment card: Luhn, ranges and lengths of the brands
  kIban,        // ISO 13616: length and structure of the country, mod 97
  kUsSsn,       // areas, groups and serials that exist
  kUsItin,      // 9xx-(50-65, 70-88, 90-92, 94-99)-xxxx
  kUsNpi,       // health care provider: Luhn with the prefix 80840
  kUsDea,       // drug prescriber
  kUsMbi,       // Medicare beneficiary: positions only, it has no check digit
  kIcd10,       // diagnosis (ICD-10-CM), without its dot
  kUsRouting,   // ABA bank routing number
  kEsDni,
  kEsNie,
  kUkNino,
  kUkNhs,
  kFrNir,
  kDeIdnr,
  kItCodiceFiscale,
  kBrCpf,
  kBrCnpj,
  kInAadhaar,
  kInPan,
  kCaSin,
  kAuTfn,
  kNlBsn,
  kPlPesel,
  kSePersonnummer,  // 10 or 12 digits
  kCnResident,
  kBeNational,
  kChAhv,
  kDkCpr,
  kFiHetu,  // with or without the letter of its century
  kNoFodselsnummer,
  kTrKimlik,
  kKrRrn,
  kMxCurp,
  kZaId,
  kPtNif,
  kIePps,  // PPS number
  kIlId,
  kCount,
};

bool isValidNumber(NumberKind kind, const uint8_t* text, size_t length);

// Shortest and longest number of a kind, in characters that count.
void numberLengths(NumberKind kind, size_t* shortest, size_t* longest);
bool isDigitsOnly(NumberKind kind);

// How many letters every valid number of a kind begins with, and how many digits follow before the next letter or the
// end: the cheap half of the validators of kinds that have letters.
struct NumberStart {
  uint8_t leastLetters, mostLetters, leastDigits, mostDigits;
};
NumberStart numberStart(NumberKind kind);

// What tables of protected values ask for: check digits and areas, whatever the length or structure.

// The check of ISO/IEC 7812: `digits` are ASCII.
bool luhnValid(const uint8_t* digits, size_t n);
// A known country, its length, and ISO 7064 mod 97-10 over all but with the first four characters last.
bool ibanValid(const uint8_t* text, size_t n);
// Characters of an IBAN of the country with this code, upper case; 0 when no such country writes IBANs.
size_t ibanLength(uint8_t first, uint8_t second);
// Nine digits of which area, group and serial are issued.
bool ssnValid(const uint8_t* digits, size_t n);

}  // namespace sentinel::dlp
