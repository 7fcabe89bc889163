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

// The check of ISO/IEC 7812: `digits` are ASCII.
bool luhn(const uint8_t* digits, size_t length);

// ISO 7064 mod 97-10 over digits and letters, the first four characters last.
bool ibanChecksum(const uint8_t* text, size_t length);

// Characters of an IBAN of the country at `text`; 0 for an unknown one.
size_t ibanLength(const uint8_t* text);

}  // namespace sentinel::dlp
