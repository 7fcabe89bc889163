// Pattern sets from JavaScript.
#include "dlp/patterns_binding.h"

#include <string>

#include "dlp/napi_source.h"
#include "dlp/patterns.h"

namespace sentinel::dlp {
namespace {

// In the order of NumberKind.
const char* const kNumbers[] = {
    "card",       "iban",       "us_ssn",      "us_itin",         "us_npi",      "us_dea",            "us_mbi",    "icd10",
    "us_routing", "es_dni",     "es_nie",      "uk_nino",         "uk_nhs",      "fr_nir",            "de_idnr",   "it_codice_fiscale",
    "br_cpf",     "br_cnpj",    "in_aadhaar",  "in_pan",          "ca_sin",      "au_tfn",            "nl_bsn",    "pl_pesel",
    "se_personnummer", "cn_resident", "be_national", "ch_ahv",    "dk_cpr",      "fi_hetu",           "no_fodselsnummer", "tr_kimlik",
    "kr_rrn",     "mx_curp",    "za_id",       "pt_nif",          "ie_pps",      "il_id"};
static_assert(sizeof kNumbers / sizeof kNumbers[0] == static_cast<size_t>(NumberKind::kCount), "a name for each kind");

// In the order of SecretKind.
const char* const kSecrets[] = {"aws_access_key", "aws_secret_key", "github_token", "gitlab_token", "google_api_key",
                                "jwt",            "npm_token",      "private_key",  "pypi_token",   "slack_token",
                                "slack_webhook",  "stripe_key",     "email"};
static_assert(sizeof kSecrets / sizeof kSecrets[0] == static_cast<size_t>(SecretKind::kCount), "a name for each kind");

[[noreturn]] void refuse(Napi::Env env, const std::string& why) { throw Napi::TypeError::New(env, why); }

float share(const Napi::Object& from, const char* name) {
  const Napi::Value value = from.Get(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= 1)) refuse(from.Env(), std::string(name) + " is not between 0 and 1");
  return static_cast<float>(number);
}

uint32_t whole(const Napi::Object& from, const char* name, uint32_t most) {
  const Napi::Value value = from.Get(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= most)) refuse(from.Env(), std::string(name) + " is out of range");
  return static_cast<uint32_t>(number);
}

PatternRule readRule(const Napi::Object& from) {
  PatternRule rule;
  const std::string what = from.Get("what").ToString(), kind = from.Get("kind").ToString();
  if (what == "automaton") {
    rule.what = PatternRule::kAutomaton;
  } else if (what == "number") {
    size_t i = 0;
    while (i < static_cast<size_t>(NumberKind::kCount) && kind != kNumbers[i]) i++;
    if (i == static_cast<size_t>(NumberKind::kCount)) refuse(from.Env(), "no such kind of number: " + kind);
    rule.number = static_cast<NumberKind>(i);
  } else if (what == "secret") {
    rule.what = PatternRule::kSecret;
    size_t i = 0;
    while (i < static_cast<size_t>(SecretKind::kCount) && kind != kSecrets[i]) i++;
    if (i == static_cast<size_t>(SecretKind::kCount)) refuse(from.Env(), "no such kind of secret: " + kind);
    rule.secret = static_cast<SecretKind>(i);
  } else {
    refuse(from.Env(), "a rule is a number, a secret or an automaton");
  }
  rule.plain = share(from, "plain");
  rule.grouped = share(from, "grouped");
  rule.inContext = share(from, "inContext");
  rule.minConfidence = share(from, "minConfidence");
  rule.minCount = whole(from, "minCount", 4096);
  rule.withinTokens = whole(from, "withinTokens", 200);
  rule.wholeWord = from.Get("wholeWord").ToBoolean();
  const Napi::Array words = from.Get("context").As<Napi::Array>();
  for (uint32_t i = 0; i < words.Length(); i++) rule.context.push_back(words.Get(i).ToString());
  const Napi::Array groupings = from.Get("groupings").As<Napi::Array>();
  for (uint32_t i = 0; i < groupings.Length(); i++) {
    const Napi::Array lengths = groupings.Get(i).As<Napi::Array>();
    std::vector<uint8_t> grouping;
    for (uint32_t k = 0; k < lengths.Length(); k++)
      grouping.push_back(static_cast<uint8_t>(lengths.Get(k).ToNumber().Uint32Value()));
    rule.groupings.push_back(std::move(grouping));
  }
  return rule;
}

Nfa readNfa(const Napi::Object& from) {
  Nfa nfa;
  const Napi::Uint32Array nodes = from.Get("nodes").As<Napi::Uint32Array>(), starts = from.Get("starts").As<Napi::Uint32Array>();
  const Napi::Uint8Array sets = from.Get("sets").As<Napi::Uint8Array>();
  for (size_t i = 0; i + 2 < nodes.ElementLength(); i += 3) nfa.nodes.push_back({nodes[i], nodes[i + 1], nodes[i + 2]});
  for (size_t i = 0; i < starts.ElementLength(); i++) nfa.starts.push_back(starts[i]);
  for (size_t i = 0; i + 32 <= sets.ElementLength(); i += 32) {
    ByteSet set{};
    for (size_t k = 0; k < 32; k++) set.bits[k / 8] |= static_cast<uint64_t>(sets[i + k]) << (k % 8 * 8);
    nfa.sets.push_back(set);
  }
  return nfa;
}

Napi::Value patternSource(const Napi::CallbackInfo& info) {
  if (info.Length() < 3 || !info[0].IsArray() || !info[1].IsObject() || !info[2].IsObject())
    refuse(info.Env(), "patternSource needs rules and two automata");
  const auto set = std::make_shared<PatternSet>();
  const Napi::Array rules = info[0].As<Napi::Array>();
  for (uint32_t i = 0; i < rules.Length(); i++) {
    const Napi::Value rule = rules[i];
    if (!rule.IsObject()) refuse(info.Env(), "a rule is an object");
    set->rules.push_back(readRule(rule.As<Napi::Object>()));
  }
  set->forward = readNfa(info[1].As<Napi::Object>());
  set->backward = readNfa(info[2].As<Napi::Object>());
  if (const char* problem = set->problem()) refuse(info.Env(), problem);
  set->prepare();
  return wrapSource(info.Env(), set);
}

}  // namespace

void definePatterns(Napi::Env env, Napi::Object exports) {
  exports.Set("patternSource", Napi::Function::New(env, patternSource, "patternSource"));
}

}  // namespace sentinel::dlp
