// Numbers with check digits, secrets and the rules file's own patterns, in one pass over the decoded text.
//
// A number is sought wherever a digit stands: groups of digits and letters with one separator between them, every run
// of groups of a length that some rule knows, validated before anything else is asked. How sure a hit is depends on the
// kind, on whether the groups are as people write them, and on words near by. A rule is reported once per stream, at
// its end: when at least minCount different values with at least minConfidence were found.
//
// The detector keeps the last kBehind bytes and does not look at a place before kAhead bytes behind it are there (or
// the stream ended), so that chunks never matter. Memory: that, a chunk, and kMaxDistinct hashes per rule.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "dlp/automaton.h"
#include "dlp/detector.h"
#include "dlp/patterns_context.h"
#include "dlp/patterns_filter.h"
#include "dlp/patterns_numbers.h"
#include "dlp/validators.h"

namespace sentinel::dlp {

enum class SecretKind : uint8_t {
  kAwsAccessKey,
  kAwsSecretKey,
  kGithubToken,
  kGitlabToken,
  kGoogleApiKey,
  kJwt,
  kNpmToken,
  kPrivateKey,
  kPypiToken,
  kSlackToken,
  kSlackWebhook,
  kStripeKey,
  kEmail,
  kCount,
};

struct PatternRule {
  enum What : uint8_t { kNumber, kSecret, kAutomaton };
  What what = kNumber;
  NumberKind number = NumberKind::kCard;
  SecretKind secret = SecretKind::kEmail;
  float plain = 0.5f;      // confidence of a hit without separators
  float grouped = 0.5f;    // with groups as people write them
  float inContext = 0.9f;  // with one of the words near
  std::vector<std::vector<uint8_t>> groupings;  // lengths of groups as people write them
  std::vector<std::string> context;             // words near
  uint32_t withinTokens = 12;
  uint32_t minCount = 1;  // different values
  float minConfidence = 0.5f;
  bool wholeWord = true;  // automata: no letter or digit beside the match
};

struct SecretMatch {
  size_t begin = 0, end = 0;
  float confidence = 0;
  SecretKind kind = SecretKind::kEmail;
};

// Which secrets are sought, by how they begin.
class SecretPlan {
 public:
  void add(SecretKind kind);
  // To be called once, when all are added.
  void prepare();
  bool empty() const { return anchors_.empty(); }
  // Next place of text[from, to) where one may begin; `to` if there is none.
  size_t next(const uint8_t* text, size_t from, size_t to, size_t length, bool portable) const { return filter_.next(text, from, to, length, portable); }
  // Whether a secret's name or first characters stand at `at` of text[0, length), and the secret behind them.
  bool at(const uint8_t* text, size_t length, size_t at, SecretMatch* match) const;

 private:
  std::vector<uint8_t> anchors_;
  PlaceFilter filter_;
};

class PatternSet final : public Source, public std::enable_shared_from_this<PatternSet> {
 public:
  static constexpr size_t kMaxRules = 255;
  // What is wrong with the rules; nullptr if nothing is.
  const char* problem() const;
  // To be called once, when `rules` are complete.
  void prepare();
  std::unique_ptr<Detector> detector(uint32_t handle, bool portable) const override;

  std::vector<PatternRule> rules;
  Nfa forward, backward;
  // Made by prepare().
  NumberPlan numbers;
  SecretPlan secrets;
  std::vector<uint8_t> bySecret[static_cast<size_t>(SecretKind::kCount)];
  std::vector<ContextWords> contexts;  // by rule
};

}  // namespace sentinel::dlp
