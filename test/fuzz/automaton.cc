// Automata from the bytes of the input: refused, or run; the one made deterministic on the way says what a plain
// simulation of the nodes says.
#include <algorithm>
#include <set>

#include "dlp/patterns.h"
#include "harness.h"

using namespace sentinel::dlp;

namespace {

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : at_(data), end_(data + size) {}
  uint8_t next() { return at_ < end_ ? *at_++ : 0; }
  const uint8_t* rest() const { return at_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

 private:
  const uint8_t *at_, *end_;
};

Nfa read(Bytes* from) {
  Nfa nfa;
  for (size_t sets = from->next() % 5; sets > 0; sets--) {
    ByteSet set{};
    // A range of bytes, and sometimes two.
    for (int i = 0; i < 2; i++) {
      const uint8_t low = from->next(), width = from->next() % 64;
      for (int byte = low; byte <= low + width && byte < 256; byte++) set.bits[byte >> 6] |= 1ull << (byte & 63);
    }
    nfa.sets.push_back(set);
  }
  for (size_t nodes = from->next() % 40; nodes > 0; nodes--) {
    NfaNode node{};
    node.kind = from->next() % 4;
    node.a = from->next() % 48;
    node.b = from->next() % 48;
    nfa.nodes.push_back(node);
  }
  for (size_t starts = from->next() % 4; starts > 0; starts--) nfa.starts.push_back(from->next() % 48);
  return nfa;
}

// As the nodes say, with a set of places.
class Plain {
 public:
  Plain(const Nfa& nfa, bool restart) : nfa_(nfa), restart_(restart) { start(&places_); }
  std::vector<uint32_t> step(uint8_t byte) {
    std::set<uint32_t> next, accepted;
    for (const uint32_t at : places_) {
      const NfaNode& node = nfa_.nodes[at];
      if (node.kind == NfaNode::kSet && nfa_.sets[node.a].has(byte)) close(node.b, &next, &accepted);
    }
    if (restart_) start(&next);
    places_ = next;
    return {accepted.begin(), accepted.end()};
  }

 private:
  void start(std::set<uint32_t>* into) {
    std::set<uint32_t> nothing;
    for (const uint32_t first : nfa_.starts) close(first, into, &nothing);
  }
  // Its own visited set: places entered by a start are places all the same.
  void close(uint32_t first, std::set<uint32_t>* into, std::set<uint32_t>* accepted) {
    std::set<uint32_t> seen;
    std::vector<uint32_t> open{first};
    while (!open.empty()) {
      const uint32_t at = open.back();
      open.pop_back();
      if (!seen.insert(at).second) continue;
      const NfaNode& node = nfa_.nodes[at];
      if (node.kind == NfaNode::kSplit) open.push_back(node.a), open.push_back(node.b);
      else if (node.kind == NfaNode::kAccept) accepted->insert(node.a);
      else into->insert(at);
    }
  }
  const Nfa& nfa_;
  bool restart_;
  std::set<uint32_t> places_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  constexpr uint32_t kRules = 3;
  const auto set = std::make_shared<PatternSet>();
  set->forward = read(&bytes);
  set->backward = read(&bytes);
  for (uint32_t i = 0; i < kRules; i++) {
    PatternRule rule;
    rule.what = PatternRule::kAutomaton;
    rule.wholeWord = (bytes.next() & 1) != 0;
    rule.minCount = 1 + bytes.next() % 3;
    rule.minConfidence = 0;
    set->rules.push_back(rule);
  }
  if (!set->forward.problem(kRules) && !set->forward.nodes.empty()) {
    for (const bool restart : {true, false}) {
      Automaton automaton(set->forward, restart);
      Plain plain(set->forward, restart);
      for (size_t i = 0; i < std::min<size_t>(bytes.left(), 256); i++) {
        const auto* accepts = automaton.step(bytes.rest()[i]);
        const std::vector<uint32_t> expected = plain.step(bytes.rest()[i]);
        if ((accepts ? *accepts : std::vector<uint32_t>()) != expected) std::abort();
      }
    }
  }
  if (set->problem() != nullptr) return 0;
  set->prepare();
  // Jumping over what no match begins with finds the same ends.
  for (const bool portable : {true, false}) {
    Automaton automaton(set->forward, true);
    Plain plain(set->forward, true);
    const size_t length = bytes.left();
    size_t stepped = 0;
    for (size_t at = 0; !set->forward.nodes.empty() && at < length;) {
      at = automaton.run(bytes.rest(), at, length, length, portable);
      while (stepped < std::min(at, length)) {
        const std::vector<uint32_t> expected = plain.step(bytes.rest()[stepped++]);
        if (expected != (stepped == at ? automaton.ended() : std::vector<uint32_t>())) std::abort();
      }
    }
  }
  fuzz::compare(*set, bytes.rest(), bytes.left());
  return 0;
}
