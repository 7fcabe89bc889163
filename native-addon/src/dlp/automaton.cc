#include "dlp/automaton.h"

#include <algorithm>
#include <cstring>

namespace sentinel::dlp {

const char* Nfa::problem(uint32_t rules) const {
  if (nodes.empty()) return starts.empty() ? nullptr : "the automaton has starts but no nodes";
  if (nodes.size() > kMaxNodes) return "the automaton has too many nodes";
  const uint32_t count = static_cast<uint32_t>(nodes.size());
  for (const uint32_t start : starts)
    if (start >= count) return "a start of the automaton is out of range";
  for (const NfaNode& node : nodes) {
    if (node.kind > NfaNode::kAccept) return "a node of the automaton has an unknown kind";
    if (node.kind == NfaNode::kSet && (node.a >= sets.size() || node.b >= count)) return "a node leads out of the automaton";
    if (node.kind == NfaNode::kSplit && (node.a >= count || node.b >= count)) return "a node leads out of the automaton";
    if (node.kind == NfaNode::kAccept && node.a >= rules) return "a node accepts an unknown rule";
  }
  return nullptr;
}

void Nfa::prepare() {
  // Starts that are close to each other are mostly of one rule, and alike.
  for (size_t i = 0; i < starts.size(); i++) {
    const int bucket = static_cast<int>(i * PlaceFilter::kBuckets / starts.size());
    std::vector<uint32_t> now{starts[i]};
    bool ends = false;  // a match may be this short: anything may follow
    for (int place = 0; place < PlaceFilter::kPlaces; place++) {
      std::vector<uint32_t> open = std::move(now), next;
      std::vector<bool> seen(nodes.size());
      now.clear();
      while (!open.empty()) {
        const uint32_t at = open.back();
        open.pop_back();
        if (seen[at]) continue;
        seen[at] = true;
        const NfaNode& node = nodes[at];
        if (node.kind == NfaNode::kSplit) open.push_back(node.b), open.push_back(node.a);
        else if (node.kind == NfaNode::kSet) now.push_back(at);
        else ends = ends || place > 0;
      }
      if (ends) filter.allowAll(bucket, place);
      for (uint32_t& at : now) {
        for (int byte = 0; byte < 256; byte++)
          if (sets[nodes[at].a].has(static_cast<uint8_t>(byte))) filter.allow(bucket, place, static_cast<uint8_t>(byte));
        at = nodes[at].b;
      }
    }
  }
  filter.prepare();
}

Automaton::Automaton(const Nfa& nfa, bool restart) : nfa_(nfa), restart_(restart), mark_(nfa.nodes.size(), 0) {
  // Bytes that no set tells apart share a class.
  std::unordered_map<std::string, uint8_t> classes;
  for (int byte = 0; byte < 256; byte++) {
    std::string membership;
    for (const ByteSet& set : nfa_.sets) membership += set.has(static_cast<uint8_t>(byte)) ? '1' : '0';
    classes_[byte] = classes.emplace(membership, static_cast<uint8_t>(classes.size())).first->second;
  }
  classCount_ = static_cast<uint32_t>(classes.size());
  begin();
}

void Automaton::begin() {
  states_.clear();
  next_.clear();
  known_.clear();
  std::vector<uint32_t> nodes, accepts;
  round_++;
  for (const uint32_t start : nfa_.starts) close(start, &nodes, &accepts);
  // A pattern that matches nothing is no match.
  state_ = intern(std::move(nodes), {});
}

size_t Automaton::run(const uint8_t* text, size_t from, size_t to, size_t length, bool portable) {
  for (size_t at = from; at < to; at++) {
    if (state_ == 0 && restart_ && credit_ > 0) {
      const size_t next = nfa_.filter.next(text, at, to, length, portable);
      credit_ = static_cast<int32_t>(std::min<size_t>(kMostCredit, static_cast<size_t>(credit_) + (next - at))) - kTry;
      if (credit_ <= 0) credit_ = -kMostCredit;
      at = next;
      if (at == to) break;
    }
    if (credit_ <= 0 && ++credit_ == 0) credit_ = kMostCredit / 2;
    if (follow(text[at])) return at + 1;
  }
  return to + 1;
}

void Automaton::close(uint32_t first, std::vector<uint32_t>* nodes, std::vector<uint32_t>* accepts) {
  std::vector<uint32_t> open{first};
  while (!open.empty()) {
    const uint32_t at = open.back();
    open.pop_back();
    if (mark_[at] == round_) continue;
    mark_[at] = round_;
    const NfaNode& node = nfa_.nodes[at];
    if (node.kind == NfaNode::kSet) nodes->push_back(at);
    else if (node.kind == NfaNode::kAccept) accepts->push_back(node.a);
    else open.push_back(node.b), open.push_back(node.a);
  }
}

uint32_t Automaton::intern(std::vector<uint32_t> nodes, std::vector<uint32_t> accepts) {
  std::sort(nodes.begin(), nodes.end());
  std::sort(accepts.begin(), accepts.end());
  accepts.erase(std::unique(accepts.begin(), accepts.end()), accepts.end());
  std::string key(reinterpret_cast<const char*>(nodes.data()), nodes.size() * 4);
  key.append("|").append(reinterpret_cast<const char*>(accepts.data()), accepts.size() * 4);
  const auto [place, fresh] = known_.emplace(std::move(key), static_cast<uint32_t>(states_.size()));
  if (fresh) {
    states_.push_back({std::move(nodes), std::move(accepts)});
    next_.resize(next_.size() + classCount_, kUnknown);
  }
  return place->second | (states_[place->second].accepts.empty() ? 0 : kAccepts);
}

uint32_t Automaton::make(uint8_t byte) {
  std::vector<uint32_t> nodes, accepts;
  round_++;
  for (const uint32_t at : states_[state_].nodes) {
    const NfaNode& node = nfa_.nodes[at];
    if (nfa_.sets[node.a].has(byte)) close(node.b, &nodes, &accepts);
  }
  if (restart_)
    for (const uint32_t start : nfa_.starts) {
      std::vector<uint32_t> nothing;
      close(start, &nodes, &nothing);
    }
  if (states_.size() >= kMaxStates) {
    begin();
    return intern(std::move(nodes), std::move(accepts));
  }
  const uint32_t from = state_;
  const uint32_t next = intern(std::move(nodes), std::move(accepts));
  next_[from * classCount_ + classes_[byte]] = next;
  return next;
}

}  // namespace sentinel::dlp
