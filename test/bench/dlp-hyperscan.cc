// Peer of the DLP bench: Hyperscan with the protected values as literals. Prints the seconds of the compilation, then
// the CPU seconds for each file. Usage: dlp-hyperscan VALUES FILE...
#include <hs/hs.h>

#include <stdio.h>
#include <time.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

static double cpuSeconds() {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

static int onMatch(unsigned, unsigned long long, unsigned long long, unsigned, void *count) {
  ++*static_cast<unsigned long *>(count);
  return 0;
}

int main(int argc, char **argv) {
  std::ifstream list(argv[1]);
  std::vector<std::string> values;
  for (std::string line; std::getline(list, line);) values.push_back(line);
  std::vector<const char *> texts;
  std::vector<size_t> lengths;
  std::vector<unsigned> flags(values.size(), HS_FLAG_SINGLEMATCH), ids;
  for (const std::string &value : values) {
    texts.push_back(value.c_str());
    lengths.push_back(value.size());
    ids.push_back(static_cast<unsigned>(ids.size()));
  }
  hs_database_t *database = nullptr;
  hs_compile_error_t *error = nullptr;
  const double before = cpuSeconds();
  if (hs_compile_lit_multi(texts.data(), flags.data(), ids.data(), lengths.data(), static_cast<unsigned>(values.size()), HS_MODE_BLOCK,
                           nullptr, &database, &error) != HS_SUCCESS) {
    fprintf(stderr, "%s\n", error->message);
    return 1;
  }
  printf("%f\n", cpuSeconds() - before);
  hs_scratch_t *scratch = nullptr;
  hs_alloc_scratch(database, &scratch);
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    unsigned long count = 0;
    const double started = cpuSeconds();
    hs_scan(database, text.data(), static_cast<unsigned>(text.size()), 0, scratch, onMatch, &count);
    printf("%f\n", cpuSeconds() - started);
  }
}
