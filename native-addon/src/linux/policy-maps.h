// The policy maps as user space keeps them: writes the difference, remembers what it wrote, and says where the kernel's
// copy differs from that. Used from one thread.
#ifndef SENTINEL_POLICY_MAPS_H
#define SENTINEL_POLICY_MAPS_H
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bpf-loader.h"

namespace sentinel {

using Entries = std::unordered_map<std::string, std::string>;

struct MapDifference {
  std::string map;
  uint32_t missing = 0, changed = 0, foreign = 0;
};

class PolicyMaps {
 public:
  // Makes `name` hold `entries`. New ones first, so that what stays denied is never open. Returns an error or "".
  std::string Write(const sn_loader &loader, const std::string &name, Entries entries) {
    const int fd = Fd(loader, name);
    if (fd < 0) return "the sensor's object has no map " + name;
    Entries &before = written_[name];
    for (const auto &[key, value] : entries) {
      auto known = before.find(key);
      if (known != before.end() && known->second == value) continue;
      if (bpf_map_update_elem(fd, key.data(), value.data(), BPF_ANY) != 0)
        return name + " takes no more entries (" + strerror(errno) + ")";
      before[key] = value;
    }
    for (auto at = before.begin(); at != before.end();) {
      if (entries.count(at->first)) {
        ++at;
        continue;
      }
      bpf_map_delete_elem(fd, at->first.data());
      at = before.erase(at);
    }
    return "";
  }

  // Where the kernel's maps differ from what was written.
  std::vector<MapDifference> Check(const sn_loader &loader) {
    std::vector<MapDifference> found;
    for (const auto &[name, entries] : written_) {
      bpf_map *map = bpf_object__find_map_by_name(loader.object, name.c_str());
      if (!map) continue;
      MapDifference difference;
      difference.map = name;
      const int fd = bpf_map__fd(map);
      std::string key(bpf_map__key_size(map), 0), value(bpf_map__value_size(map), 0), next(key.size(), 0);
      for (const auto &[wanted, content] : entries) {
        if (bpf_map_lookup_elem(fd, wanted.data(), value.data()) != 0)
          difference.missing++;
        else if (value != content)
          difference.changed++;
      }
      // Bounded: an entry that appears while we look may start the walk again.
      size_t steps = 0, limit = 2 * bpf_map__max_entries(map);
      for (const void *at = nullptr; steps < limit && bpf_map_get_next_key(fd, at, next.data()) == 0; steps++) {
        key = next;
        at = key.data();
        if (!entries.count(key)) difference.foreign++;
      }
      if (difference.missing || difference.changed || difference.foreign) found.push_back(difference);
    }
    return found;
  }

  // Writes everything again and takes out what is foreign.
  std::string Restore(const sn_loader &loader) {
    for (auto &[name, entries] : written_) {
      bpf_map *map = bpf_object__find_map_by_name(loader.object, name.c_str());
      if (!map) continue;
      const int fd = bpf_map__fd(map);
      std::string next(bpf_map__key_size(map), 0), key;
      std::vector<std::string> foreign;
      size_t limit = 2 * bpf_map__max_entries(map);
      for (const void *at = nullptr; limit-- > 0 && bpf_map_get_next_key(fd, at, next.data()) == 0;) {
        key = next;
        at = key.data();
        if (!entries.count(key)) foreign.push_back(key);
      }
      for (const std::string &each : foreign) bpf_map_delete_elem(fd, each.data());
      for (const auto &[wanted, content] : entries)
        if (bpf_map_update_elem(fd, wanted.data(), content.data(), BPF_ANY) != 0)
          return name + " could not be written (" + strerror(errno) + ")";
    }
    return "";
  }

  const std::map<std::string, Entries> &written() const { return written_; }

  static int Fd(const sn_loader &loader, const std::string &name) {
    return bpf_object__find_map_fd_by_name(loader.object, name.c_str());
  }

 private:
  std::map<std::string, Entries> written_;
};

}  // namespace sentinel

#endif
