// Finds what could be a primary value in text.
//
// A group is a maximal run of ASCII letters and digits; groups are joined by one to three joiners (isJoiner). A
// candidate starts and ends with a group: digit groups joined to a length some number, card, SSN or phone has; letter and
// digit groups joined to the length and the count of leading letters of some IBAN or id; or an e-mail address. Cards,
// SSNs and IBANs are validated before they are hashed. Each candidate is found from one trigger, a byte of it: the first
// digit of a run, or the @. So text can be searched in ranges of triggers, in any ranges.
#pragma once

#include <cstdint>

#include "dlp/edm_bytes.h"
#include "dlp/edm_hash.h"
#include "dlp/edm_index.h"

namespace sentinel::dlp {

// A candidate lies within this many bytes of its trigger, on both sides.
constexpr size_t kReach = 1024;
// Zeros that must follow the text, and readable bytes that must precede it.
constexpr size_t kPadding = 64;

struct Candidate {
  Block block;
  uint64_t hash;
  uint32_t begin, end;  // bytes of the text
  bool lone, combined;  // which shapes it has
};

// Takes candidates; the reference is valid during the call.
class CandidateSink {
 public:
  virtual ~CandidateSink() = default;
  // The slot to fill, then `filled()`.
  virtual Candidate &slot() = 0;
  virtual void filled() = 0;
};

struct Wanted {
  Shapes lone, combined;
  // Any of the two, to decide whether to look closer.
  uint64_t digits = 0;    // lengths of digit candidates, 0 when none are wanted
  uint32_t idLeads = 0;   // bit n: an id or IBAN with n leading letters
  uint64_t idLengths[16] = {};
  bool email = false;
  uint32_t leastDigits = 1, maxDigits = 0;
  uint32_t leastAlnum = 1;  // letters and digits of an id or IBAN from its first digit on
};

Wanted wantedBy(const IndexMeta &meta);

// Candidates of the triggers in [from, to) of text[0, n). ASCII only is looked at, apart from joiners.
void findCandidates(const IndexKeys &keys, const Wanted &wanted, const uint8_t *text, size_t n, size_t from, size_t to, bool portable,
                    CandidateSink *sink);

// The value class digits of a phone number are compared as: its last nine digits, or all without leading zeros.
size_t phoneForm(const uint8_t *digits, size_t n, const uint8_t **from);

}  // namespace sentinel::dlp
