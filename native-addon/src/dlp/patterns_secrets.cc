// Keys and tokens: found by how they begin, then checked character by character and by their checksum if they have one.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "dlp/patterns.h"

namespace sentinel::dlp {
namespace {

using Text = const uint8_t*;

inline bool isDigit(uint8_t c) { return c >= '0' && c <= '9'; }
inline bool isUpper(uint8_t c) { return c >= 'A' && c <= 'Z'; }
inline bool isLower(uint8_t c) { return c >= 'a' && c <= 'z'; }
inline bool isAlnum(uint8_t c) { return isDigit(c) || isUpper(c) || isLower(c); }
inline bool isBase64Url(uint8_t c) { return isAlnum(c) || c == '-' || c == '_'; }

struct Anchor {
  std::string_view text;
  SecretKind kind;
};
constexpr Anchor kAnchors[] = {
    {"AKIA", SecretKind::kAwsAccessKey},      {"ASIA", SecretKind::kAwsAccessKey},
    {"ABIA", SecretKind::kAwsAccessKey},      {"ACCA", SecretKind::kAwsAccessKey},
    {"aws_secret", SecretKind::kAwsSecretKey}, {"AWS_SECRET", SecretKind::kAwsSecretKey},
    {"SecretAccessKey", SecretKind::kAwsSecretKey}, {"secretAccessKey", SecretKind::kAwsSecretKey},
    {"secret_access_key", SecretKind::kAwsSecretKey}, {"SECRET_ACCESS_KEY", SecretKind::kAwsSecretKey},
    {"ghp_", SecretKind::kGithubToken},       {"gho_", SecretKind::kGithubToken},
    {"ghu_", SecretKind::kGithubToken},       {"ghs_", SecretKind::kGithubToken},
    {"ghr_", SecretKind::kGithubToken},       {"github_pat_", SecretKind::kGithubToken},
    {"glpat-", SecretKind::kGitlabToken},     {"AIza", SecretKind::kGoogleApiKey},
    {"eyJ", SecretKind::kJwt},                {"npm_", SecretKind::kNpmToken},
    {"-----BEGIN ", SecretKind::kPrivateKey}, {"pypi-AgEIcHlwaS5vcmc", SecretKind::kPypiToken},
    {"xoxb-", SecretKind::kSlackToken},       {"xoxp-", SecretKind::kSlackToken},
    {"xoxa-", SecretKind::kSlackToken},       {"xoxr-", SecretKind::kSlackToken},
    {"xoxs-", SecretKind::kSlackToken},       {"xoxe-", SecretKind::kSlackToken},
    {"xoxe.", SecretKind::kSlackToken},       {"hooks.slack.com/services/", SecretKind::kSlackWebhook},
    {"sk_live_", SecretKind::kStripeKey},     {"rk_live_", SecretKind::kStripeKey},
};
constexpr uint8_t kAnchorCount = sizeof kAnchors / sizeof kAnchors[0];

// Bytes from `at` on, at most `most`, for which `is` holds.
template <typename Is>
size_t run(Text text, size_t length, size_t at, size_t most, Is is) {
  size_t n = 0;
  while (n < most && at + n < length && is(text[at + n])) n++;
  return n;
}

uint32_t crc32(Text text, size_t length) {
  uint32_t crc = 0xFFFFFFFF;
  for (size_t i = 0; i < length; i++) {
    crc ^= text[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

// GitHub's and npm's tokens end in the CRC-32 of what comes before, in base 62.
bool checksumMatches(Text body, size_t length) {
  static const char kDigits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  uint32_t crc = crc32(body, length - 6);
  for (int i = 5; i >= 0; i--) {
    if (body[length - 6 + static_cast<size_t>(i)] != kDigits[crc % 62]) return false;
    crc /= 62;
  }
  return true;
}

// Whether the first bytes of a base64url text decode to an object that names an algorithm.
bool isJoseHeader(Text text, size_t length) {
  char plain[192];
  size_t n = 0;
  uint32_t bits = 0;
  int have = 0;
  for (size_t i = 0; i < length && n < sizeof plain; i++) {
    const uint8_t c = text[i];
    const uint32_t value = isUpper(c) ? c - 'A' : isLower(c) ? c - 'a' + 26u : isDigit(c) ? c - '0' + 52u : c == '-' ? 62 : 63;
    bits = bits << 6 | value;
    have += 6;
    if (have >= 8) have -= 8, plain[n++] = static_cast<char>(bits >> have & 0xFF);
  }
  const std::string_view header(plain, n);
  return header.find("\"alg\"") != std::string_view::npos || header.find("\"enc\"") != std::string_view::npos;
}

bool privateKey(Text text, size_t length, size_t at, SecretMatch* match) {
  const std::string_view rest(reinterpret_cast<const char*>(text + at), length - at < 64 ? length - at : 64);
  const size_t dashes = rest.find("-----", 11);
  if (dashes == std::string_view::npos) return false;
  const std::string_view label = rest.substr(11, dashes - 11);
  if (label.find("PRIVATE KEY") == std::string_view::npos) return false;
  size_t i = at + dashes + 5;
  // A document that only names the line has no key behind it.
  size_t key = 0;
  const size_t end = length - i < 700 ? length : i + 700;
  for (; i < end && key < 64; i++) {
    const uint8_t c = text[i];
    if (isAlnum(c) || c == '+' || c == '/' || c == '=') key++;
    else if (c != '\n' && c != '\r' && c != ' ' && c != '\\' && c != '"' && c != ':' && c != ',' && c != '-' && c != '(' && c != ')' && c != '.') break;
  }
  *match = {at, at + dashes + 5, key >= 64 ? 0.98f : 0.3f, SecretKind::kPrivateKey};
  return true;
}

bool jwt(Text text, size_t length, size_t at, SecretMatch* match) {
  const size_t header = run(text, length, at, 512, isBase64Url);
  if (header < 16 || at + header + 1 >= length || text[at + header] != '.' || !isJoseHeader(text + at, header)) return false;
  const size_t second = at + header + 1;
  const size_t payload = run(text, length, second, 400, isBase64Url);
  if (payload < 10) return false;
  *match = {at, second + payload, 0.9f, SecretKind::kJwt};
  return true;
}

bool awsSecret(Text text, size_t length, size_t at, size_t name, SecretMatch* match) {
  // The value stands behind the name and a sign or two: 40 characters, of both cases, with digits.
  const auto is = [](uint8_t c) { return isAlnum(c) || c == '/' || c == '+'; };
  for (size_t i = at + name; i < length && i < at + name + 48;) {
    const size_t size = run(text, length, i, 41, is);
    if (size == 40) {
      bool upper = false, lower = false, digit = false;
      for (size_t k = 0; k < 40; k++) upper |= isUpper(text[i + k]), lower |= isLower(text[i + k]), digit |= isDigit(text[i + k]);
      if (!upper || !lower || !digit) return false;
      *match = {i, i + 40, 0.95f, SecretKind::kAwsSecretKey};
      return true;
    }
    if (size > 40) return false;
    i += size + 1;
  }
  return false;
}

bool slack(Text text, size_t length, size_t at, SecretMatch* match) {
  const size_t size = run(text, length, at + 5, 250, [](uint8_t c) { return isAlnum(c) || c == '-'; });
  size_t numbers = 0;
  for (size_t i = at + 5; i < at + 5 + size;) {
    const size_t digits = run(text, length, i, 20, isDigit);
    if (digits >= 9 && i + digits < length && text[i + digits] == '-') numbers++;
    while (i < at + 5 + size && text[i] != '-') i++;
    i++;
  }
  if (size < 20 || (numbers == 0 && size < 60)) return false;
  *match = {at, at + 5 + size, 0.95f, SecretKind::kSlackToken};
  return true;
}

}  // namespace

void SecretPlan::add(SecretKind kind) {
  for (uint8_t i = 0; i < kAnchorCount; i++)
    if (kAnchors[i].kind == kind) anchors_.push_back(i);
}

void SecretPlan::prepare() {
  std::sort(anchors_.begin(), anchors_.end());
  anchors_.erase(std::unique(anchors_.begin(), anchors_.end()), anchors_.end());
  // The first three bytes are what the scan looks for.
  for (size_t i = 0; i < anchors_.size(); i++)
    for (size_t place = 0; place < PlaceFilter::kPlaces; place++)
      filter_.allow(static_cast<int>(i * PlaceFilter::kBuckets / anchors_.size()), static_cast<int>(place), static_cast<uint8_t>(kAnchors[anchors_[i]].text[place]));
  filter_.prepare();
}

bool SecretPlan::at(const uint8_t* text, size_t length, size_t at, SecretMatch* match) const {
  const bool inside = at > 0 && (isAlnum(text[at - 1]) || text[at - 1] == '_');
  for (const uint8_t index : anchors_) {
    const Anchor& anchor = kAnchors[index];
    const size_t name = anchor.text.size();
    if (text[at] != static_cast<uint8_t>(anchor.text[0]) || length - at < name || std::memcmp(text + at, anchor.text.data(), name) != 0) continue;
    // A token begins where a word does; a name may be part of a longer one.
    if (inside && anchor.kind != SecretKind::kAwsSecretKey && anchor.kind != SecretKind::kSlackWebhook) continue;
    const size_t body = at + name;
    const size_t size = run(text, length, body, 300, isAlnum);
    const auto found = [&](size_t end, float confidence) {
      *match = {at, end, confidence, anchor.kind};
      return true;
    };
    switch (anchor.kind) {
      case SecretKind::kAwsAccessKey: {
        const size_t key = run(text, length, body, 17, [](uint8_t c) { return isUpper(c) || (c >= '2' && c <= '7'); });
        return key == 16 && size == 16 && found(body + 16, 0.9f);
      }
      case SecretKind::kAwsSecretKey: return awsSecret(text, length, at, name, match);
      case SecretKind::kGithubToken:
        if (anchor.text.size() > 4) {
          const size_t token = run(text, length, body, 100, [](uint8_t c) { return isAlnum(c) || c == '_'; });
          return token == 82 && found(body + token, 0.95f);
        }
        return size == 36 && checksumMatches(text + body, 36) && found(body + 36, 0.99f);
      case SecretKind::kNpmToken: return size == 36 && checksumMatches(text + body, 36) && found(body + 36, 0.99f);
      case SecretKind::kGitlabToken: {
        const size_t token = run(text, length, body, 64, isBase64Url);
        return token >= 20 && found(body + token, 0.95f);
      }
      case SecretKind::kGoogleApiKey: {
        const size_t token = run(text, length, body, 40, isBase64Url);
        return token == 35 && found(body + token, 0.9f);
      }
      case SecretKind::kJwt: return jwt(text, length, at, match);
      case SecretKind::kPrivateKey: return privateKey(text, length, at, match);
      case SecretKind::kPypiToken: {
        const size_t token = run(text, length, body, 300, isBase64Url);
        return token >= 50 && found(body + token, 0.98f);
      }
      case SecretKind::kSlackToken: return slack(text, length, at, match);
      case SecretKind::kSlackWebhook: {
        const size_t path = run(text, length, body, 100, [](uint8_t c) { return isAlnum(c) || c == '/'; });
        return path >= 35 && text[body] == 'T' && found(body + path, 0.95f);
      }
      case SecretKind::kStripeKey: return size >= 24 && size <= 247 && found(body + size, 0.95f);
      case SecretKind::kEmail: case SecretKind::kCount: break;
    }
  }
  return false;
}

}  // namespace sentinel::dlp
