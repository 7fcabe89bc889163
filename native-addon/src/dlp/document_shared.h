// Which windows of documents say nothing, because they stand in other texts too.
//
// What is selected at the edge of a passage depends on the key and on what stands around the passage: a notice in a
// document leaves windows that the notice alone does not, and in a third text they may be selected again. So the windows
// of documents are looked for at every place of every text, not among what was selected there. A window that reaches out
// of a passage by less than kOwnLetters is treated as a part of it: the same notice is followed by the same word in many
// files. No run of 111 letters outside such passages loses a window by that.
//
// Memory: some 45 bytes for each window that is expected, and more for those in two families of documents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace sentinel::dlp {

constexpr size_t kOwnLetters = 12;
// A passage of so many unrelated documents is common.
constexpr uint32_t kCommonFamilies = 3;

class SharedWindows {
 public:
  enum Standing : uint8_t { kOwn, kCommon, kBoilerplate };

  // So many windows will be expected.
  SharedWindows(const uint64_t seeds[4], size_t windows) : seeds_(seeds) { hashes_.reserve(windows * 3); }
  // The window at `at` of letters[0, n) will be asked for.
  void expect(const uint8_t* letters, size_t n, size_t at);
  // To be called once, when all are expected and before any text is seen.
  void seal();
  void seeBoilerplate(const uint8_t* letters, size_t n);
  void seeDocument(const uint8_t* letters, size_t n, uint32_t family);
  // Of an expected window, by all texts seen so far.
  Standing of(const uint8_t* letters, size_t n, size_t at) const;

 private:
  static constexpr uint32_t kNobody = 0xFFFFFFFF, kIsCommon = 0xFFFFFFFE, kIsBoilerplate = 0xFFFFFFFD;
  static constexpr size_t kNone = ~size_t{0};
  void see(const uint8_t* letters, size_t n, uint32_t family);
  size_t find(uint64_t hash) const;
  // Calls with(at) for the window and the two that tell whether it reaches out of a passage.
  template <typename With>
  static void around(size_t n, size_t at, const With& with);

  const uint64_t* seeds_;
  std::vector<uint64_t> hashes_;   // sorted
  std::vector<uint32_t> firsts_;   // of each bucket of hashes, by their highest bits; and the end
  std::vector<uint64_t> filter_;   // a bit for each value of the highest bits that some hash has
  std::vector<uint32_t> families_; // by hash: the first family it was seen in
  std::unordered_map<size_t, uint32_t> seconds_;
  int bucketShift_ = 63, filterShift_ = 58;
};

}  // namespace sentinel::dlp
