// The pattern detector with every kind of number and secret and a small automaton.
#include "dlp/patterns.h"
#include "harness.h"

using namespace sentinel::dlp;

namespace {

// "ab+c" and its mirror image.
Nfa automaton(bool backward, uint32_t rule) {
  Nfa nfa;
  for (const char c : {'a', 'b', 'c'}) {
    ByteSet set{};
    set.bits[c >> 6] |= 1ull << (c & 63);
    nfa.sets.push_back(set);
  }
  const uint32_t first = backward ? 2 : 0, last = backward ? 0 : 2;
  nfa.nodes = {{NfaNode::kSet, first, 1}, {NfaNode::kSet, 1, 2}, {NfaNode::kSplit, 1, 3}, {NfaNode::kSet, last, 4}, {NfaNode::kAccept, rule, 0}};
  nfa.starts = {0};
  return nfa;
}

const std::shared_ptr<PatternSet>& patterns() {
  static const std::shared_ptr<PatternSet> set = [] {
    const auto made = std::make_shared<PatternSet>();
    for (size_t i = 0; i < static_cast<size_t>(NumberKind::kCount); i++) {
      PatternRule rule;
      rule.number = static_cast<NumberKind>(i);
      rule.groupings = {{4, 4, 4, 4}, {3, 2, 4}, {3, 3, 3}};
      rule.context = {"card", "ssn", "\xD0\xBF\xD0\xB0\xD1\x81\xD0\xBF\xD0\xBE\xD1\x80\xD1\x82", "\xE5\x8D\xA1"};
      rule.minConfidence = 0.1f;
      made->rules.push_back(rule);
    }
    for (size_t i = 0; i < static_cast<size_t>(SecretKind::kCount); i++) {
      PatternRule rule;
      rule.what = PatternRule::kSecret;
      rule.secret = static_cast<SecretKind>(i);
      rule.minConfidence = 0;
      made->rules.push_back(rule);
    }
    PatternRule own;
    own.what = PatternRule::kAutomaton;
    made->rules.push_back(own);
    const uint32_t rule = static_cast<uint32_t>(made->rules.size() - 1);
    made->forward = automaton(false, rule);
    made->backward = automaton(true, rule);
    if (made->problem() != nullptr) std::abort();
    made->prepare();
    return made;
  }();
  return set;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::compare(*patterns(), data, size);
  return 0;
}
