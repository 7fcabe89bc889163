// Patterns of the rules file, as a finite automaton: no backtracking, one step per byte whatever the pattern.
//
// The rules' parser (agent/dlp/regex.ts) sends a Thompson automaton over bytes, forwards and backwards. States of the
// deterministic one are made as they are needed, at most kMaxStates; then all are forgotten and made again. The
// forward automaton finds where matches end, the backward one where the longest that ends there begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

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
  const std::vector<uint32_t>* step(uint8_t byte) {
    uint32_t next = states_[state_].next[classes_[byte]];
    if (next == kUnknown) next = make(byte);
    state_ = next;
    return states_[next].accepts.empty() ? nullptr : &states_[next].accepts;
  }
  // No match can come any more (without restart).
  bool dead() const { return states_[state_].nodes.empty(); }

 private:
  static constexpr uint32_t kUnknown = 0xFFFFFFFF;
  static constexpr size_t kMaxStates = 2000;
  struct State {
    std::vector<uint32_t> nodes;  // sorted, kSet nodes only
    std::vector<uint32_t> accepts;
    std::vector<uint32_t> next;  // by class of byte
  };
  uint32_t make(uint8_t byte);
  uint32_t intern(std::vector<uint32_t> nodes, std::vector<uint32_t> accepts);
  void close(uint32_t node, std::vector<uint32_t>* nodes, std::vector<uint32_t>* accepts);
  void begin();

  const Nfa& nfa_;
  bool restart_;
  uint8_t classes_[256];
  uint32_t classCount_ = 0;
  std::vector<State> states_;
  std::unordered_map<std::string, uint32_t> known_;
  std::vector<uint32_t> mark_;
  uint32_t round_ = 0;
  uint32_t state_ = 0;
};

}  // namespace sentinel::dlp
