// Patterns of the rules file, as a finite automaton: no backtracking, one step per byte whatever the pattern.
//
// The rules' parser (agent/dlp/regex.ts) sends a Thompson automaton over bytes, forwards and backwards. States of the
// deterministic one are made as they are needed, at most kMaxStates; then all are forgotten and made again. The
// forward automaton finds where matches end, the backward one where the longest that ends there begins. Where no match
// goes on, it does not step but jumps to the next place at which the first three bytes of some match may stand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "dlp/patterns_filter.h"

namespace sentinel::dlp {

struct NfaNode {
  enum Kind : uint32_t { kSet = 0, kSplit = 1, kAccept = 2 };
  uint32_t kind;
  uint32_t a;  // kSet: number of the byte set; kSplit: next node; kAccept: number of the rule
  uint32_t b;  // kSet: next node; kSplit: the other next node
};

struct ByteSet {
  uint64_t bits[4];
  bool has(uint8_t byte) const { return (bits[byte >> 6] >> (byte & 63) & 1) != 0; }
};

// Never changes once made; shared by threads.
struct Nfa {
  std::vector<NfaNode> nodes;
  std::vector<ByteSet> sets;
  std::vector<uint32_t> starts;
  PlaceFilter filter;  // where a match may begin

  // To be called once, when the rest is complete.
  void prepare();
  // What is wrong with it; nullptr if nothing is.
  const char* problem(uint32_t rules) const;
  static constexpr size_t kMaxNodes = 20000;
};

// The deterministic automaton of one stream.
class Automaton {
 public:
  // `restart`: a match may begin at every byte.
  Automaton(const Nfa& nfa, bool restart);
  void reset() { state_ = 0; }
  // Rules that end behind this byte; nullptr for none.
  const std::vector<uint32_t>* step(uint8_t byte) { return follow(byte) ? &states_[state_].accepts : nullptr; }
  // Goes over text[from, to) until some rule ends; returns the place behind, `to` + 1 if none does. A match that begins
  // near `to` is told by bytes up to `length`.
  size_t run(const uint8_t* text, size_t from, size_t to, size_t length, bool portable);
  // Rules that end behind the last byte.
  const std::vector<uint32_t>& ended() const { return states_[state_].accepts; }
  // No match can come any more (without restart).
  bool dead() const { return states_[state_].nodes.empty(); }

 private:
  static constexpr uint32_t kAccepts = 0x80000000, kUnknown = 0x7FFFFFFF;
  static constexpr size_t kMaxStates = 2000;
  struct State {
    std::vector<uint32_t> nodes;  // sorted, kSet nodes only
    std::vector<uint32_t> accepts;
  };
  bool follow(uint8_t byte) {
    uint32_t next = next_[state_ * classCount_ + classes_[byte]];
    if (next == kUnknown) next = make(byte);
    state_ = next & ~kAccepts;
    return (next & kAccepts) != 0;
  }
  uint32_t make(uint8_t byte);
  uint32_t intern(std::vector<uint32_t> nodes, std::vector<uint32_t> accepts);
  void close(uint32_t node, std::vector<uint32_t>* nodes, std::vector<uint32_t>* accepts);
  void begin();

  const Nfa& nfa_;
  bool restart_;
  uint8_t classes_[256];
  uint32_t classCount_ = 0;
  std::vector<State> states_;
  std::vector<uint32_t> next_;  // by state and class of byte: the next state, with kAccepts if rules end there
  std::unordered_map<std::string, uint32_t> known_;
  std::vector<uint32_t> mark_;
  uint32_t round_ = 0;
  uint32_t state_ = 0;
  // Jumping is worth it only where it skips something: what it skipped lately, less what the tries cost.
  int32_t credit_ = kMostCredit;
  static constexpr int32_t kMostCredit = 4096, kTry = 24;
};

}  // namespace sentinel::dlp
