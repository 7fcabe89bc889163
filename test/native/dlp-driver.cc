// Runs the text decoder and the detectors on inputs that come as frames on stdin: one line of JSON for each on stdout.
// Frame: operation u8, seed u32 of the chunk sizes (0: in one piece), length u32, bytes; little-endian.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "dlp/text.h"
#include "dlp/validators.h"

using namespace sentinel::dlp;

namespace {

std::string json;

void number(uint64_t value) { json += std::to_string(value); }

class Chunks {
 public:
  explicit Chunks(uint32_t seed) : state_(seed) {}
  // 1..64 bytes, or all of it.
  size_t next(size_t left) {
    if (state_ == 0) return left;
    state_ = state_ * 1664525u + 1013904223u;
    if (state_ == 0) state_ = 1;
    const size_t wanted = (state_ >> 28) == 0 ? 1 + (state_ >> 8) % 5000 : 1 + (state_ >> 8) % 64;
    return wanted < left ? wanted : left;
  }

 private:
  uint32_t state_;
};

// The text in hex, and where each of its code points (or stray bytes) begins; then where the text ends.
class Recorder : public TextSink {
 public:
  void text(const uint8_t* text, size_t length, const OffsetMap& map) override {
    edges.push_back(bytes.size());
    for (size_t i = 0; i < length; i++) places.push_back(streamOffset(map.runs, map.count, map.chunkAt + i));
    if (map.chunkAt != bytes.size()) cut = true;
    end = streamOffset(map.runs, map.count, map.chunkAt + length);
    bytes.append(reinterpret_cast<const char*>(text), length);
  }
  void finish() {
    const uint8_t* data = reinterpret_cast<const uint8_t*>(bytes.data());
    size_t edge = 0;
    for (size_t i = 0; i < bytes.size();) {
      const int size = utf8Sequence(data + i, bytes.size() - i);
      if (i > 0) offsets += ',';
      offsets += std::to_string(places[i]);
      const size_t next = i + (size > 0 ? static_cast<size_t>(size) : 1);
      while (edge < edges.size() && edges[edge] <= i) edge++;
      if (edge < edges.size() && edges[edge] < next) cut = true;
      i = next;
    }
  }
  std::string bytes, offsets;
  std::vector<size_t> edges;
  std::vector<uint64_t> places;
  uint64_t end = 0;
  bool cut = false;
};

void text(const std::vector<uint8_t>& input, uint32_t seed) {
  Recorder plain;
  for (int round = 0; round < 4; round++) {
    // Without vector instructions first: the same must come out with them.
    static Decoder decoders[2] = {Decoder(true), Decoder(false)};
    Decoder& decoder = decoders[round / 2];
    Recorder recorder;
    Chunks chunks(seed);
    for (size_t i = 0; i < input.size();) {
      const size_t size = chunks.next(input.size() - i);
      // A copy of exactly this size, so that a read behind it is seen.
      const std::vector<uint8_t> chunk(input.begin() + i, input.begin() + i + size);
      decoder.feed(chunk.data(), size, false, recorder);
      i += size;
    }
    decoder.feed(nullptr, 0, true, recorder);
    decoder.reset();
    if (round % 2 == 0) continue;  // the second shows that reset() forgets
    if (round == 1) {
      plain = recorder;
      continue;
    }
    if (recorder.bytes != plain.bytes || recorder.places != plain.places) recorder.cut = true;
    recorder.finish();
    static const char* const kHex = "0123456789abcdef";
    json += "{\"text\":\"";
    for (const char c : recorder.bytes) {
      json += kHex[static_cast<uint8_t>(c) >> 4];
      json += kHex[c & 15];
    }
    json += "\",\"offsets\":[" + recorder.offsets + "],\"end\":";
    number(recorder.end);
    json += recorder.cut ? ",\"cut\":true}" : "}";
  }
}

// Whether a valid number begins as numberStart() says that numbers of its kind do.
bool beginsAsSaid(NumberKind kind, const std::vector<uint8_t>& text) {
  if (isDigitsOnly(kind)) return true;
  const auto isDigit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  size_t letters = 0, digits = 0;
  while (letters < text.size() && !isDigit(letters)) letters++;
  while (letters + digits < text.size() && isDigit(letters + digits)) digits++;
  const NumberStart start = numberStart(kind);
  return letters >= start.leastLetters && letters <= start.mostLetters && digits >= start.leastDigits && digits <= start.mostDigits;
}

// Lines "KIND TEXT" with the number of the kind: 1 or 0 for each; 2 for a valid one of another beginning.
void numbers(const std::vector<uint8_t>& input) {
  json += '[';
  for (size_t i = 0; i < input.size();) {
    int kind = 0;
    while (i < input.size() && input[i] != ' ') kind = kind * 10 + input[i++] - '0';
    const size_t begin = ++i;
    while (i < input.size() && input[i] != '\n') i++;
    const std::vector<uint8_t> text(input.begin() + begin, input.begin() + i);
    if (json.size() > 1) json += ',';
    const NumberKind which = static_cast<NumberKind>(kind);
    json += !isValidNumber(which, text.data(), text.size()) ? '0' : beginsAsSaid(which, text) ? '1' : '2';
    i++;
  }
  json += ']';
}

}  // namespace

int main() {
  uint8_t head[9];
  while (std::fread(head, 1, 9, stdin) == 9) {
    uint32_t seed, length;
    std::memcpy(&seed, head + 1, 4);
    std::memcpy(&length, head + 5, 4);
    std::vector<uint8_t> input(length);
    if (length > 0 && std::fread(input.data(), 1, length, stdin) != length) return 2;
    json.clear();
    switch (head[0]) {
      case 0: text(input, seed); break;
      case 1: numbers(input); break;
      default: return 2;
    }
    std::puts(json.c_str());
  }
  return 0;
}
