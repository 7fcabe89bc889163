// Peer of the DLP bench: Hyperscan with the protected values as literals. Usage: dlp-hyperscan VALUES
// Prints the CPU seconds of the compilation and the resident KiB after it; then for each path on a line of standard input
// the CPU seconds of one scan of that file, which is kept in memory.
#include <hs/hs.h>

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
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

int main(int, char **argv) {
  std::ifstream list(argv[1]);
  std::vector<std::string> values;
  for (std::string line; std::getline(list, line);) values.push_back(line);
  std::vector<const char *> texts;
  std::vector<size_t> lengths;
  std::vector<unsigned> flags(values.size(), 0), ids;
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
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("%f %ld\n", cpuSeconds() - before, usage.ru_maxrss);
  fflush(stdout);
  hs_scratch_t *scratch = nullptr;
  hs_alloc_scratch(database, &scratch);
  std::map<std::string, std::string> files;
  for (std::string path; std::getline(std::cin, path);) {
    std::string &text = files[path];
    if (text.empty()) {
      std::ifstream file(path, std::ios::binary);
      text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    unsigned long count = 0;
    const double started = cpuSeconds();
    hs_scan(database, text.data(), static_cast<unsigned>(text.size()), 0, scratch, onMatch, &count);
    printf("%f\n", cpuSeconds() - started);
    fflush(stdout);
  }
}
