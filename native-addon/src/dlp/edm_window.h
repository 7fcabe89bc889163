// What stands around a primary value: the candidates for the secondary values of its row.
//
// The window is the `within` tokens before and after (or the line, for the rule sameRow), at most kWindowBytes on each
// side. A value must stand whole on one side.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "dlp/edm_index.h"
#include "dlp/fold.h"

namespace sentinel::dlp {

constexpr size_t kWindowBytes = 8192;

// Shapes looked for, by field: bit per shape.
using WantedShapes = std::array<std::array<uint64_t, 4>, kMaxFields>;

inline bool hasShape(const WantedShapes &shapes, size_t field, size_t shape) {
  return shape < 256 && (shapes[field][shape / 64] >> shape % 64 & 1) != 0;
}

class SecondarySink {
 public:
  virtual ~SecondarySink() = default;
  // False: enough.
  virtual bool value(uint8_t field, ValueClass valueClass, uint8_t shape, const uint8_t *normal, size_t n) = 0;
};

class Window {
 public:
  // Reads text around [begin, end). The text holds kWindowBytes on both sides, or the stream begins or ends there.
  void read(const IndexMeta &meta, const uint8_t *text, size_t n, size_t begin, size_t end);
  // Every candidate with one of the shapes.
  void enumerate(const IndexMeta &meta, const std::vector<uint8_t> &fields, const WantedShapes &shapes, SecondarySink *sink) const;
  void wipe();

 private:
  struct Side {
    std::string text;  // with foreign forms in ASCII
    std::vector<Token> tokens;
    std::string folded;
    void clear() {
      text.clear();
      tokens.clear();
      folded.clear();
    }
  };
  struct Group {
    uint32_t begin, end;
    bool digits;
  };
  bool cutBefore(Side *side, const uint8_t *text, size_t from, size_t to, size_t within);
  bool cutAfter(Side *side, const uint8_t *text, size_t n, size_t from, size_t to, size_t within);
  void fill(Side *side, const uint8_t *text, size_t from, size_t to);
  static bool words(const Side &side, uint8_t field, const WantedShapes &shapes, SecondarySink *sink);
  static bool dates(const Side &side, uint8_t field, DateOrder order, SecondarySink *sink);
  static bool emails(const Side &side, uint8_t field, const WantedShapes &shapes, SecondarySink *sink);
  static bool groups(const Side &side, uint8_t field, FieldType type, const WantedShapes &shapes, SecondarySink *sink);

  // Before and after the primary; then both without escapes, if there are any.
  Side sides_[4];
  std::string plain_;
};

}  // namespace sentinel::dlp
