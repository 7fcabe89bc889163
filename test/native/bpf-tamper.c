/* Does to the agent's kernel side what an intruder with root would: "detach LINK_ID" takes a hook out, "clear MAP_ID"
 * empties a map, "poke MAP_ID" zeroes the value of its first entry, "mute MAP_ID" tells the hooks by their control map that
 * the agent has stopped. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <linux/types.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "sensor-abi.h"

int main(int argc, char **argv)
{
  struct bpf_map_info info = {0};
  unsigned size = sizeof(info);
  char key[512], value[4096];
  int fd;

  if (argc != 3)
    return 2;
  if (strcmp(argv[1], "detach") == 0) {
    fd = bpf_link_get_fd_by_id(atoi(argv[2]));
    return fd < 0 || bpf_link_detach(fd) != 0;
  }
  fd = bpf_map_get_fd_by_id(atoi(argv[2]));
  if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) != 0)
    return 1;
  if (strcmp(argv[1], "clear") == 0) {
    int removed = 0;
    while (bpf_map_get_next_key(fd, NULL, key) == 0 && bpf_map_delete_elem(fd, key) == 0)
      removed++;
    return removed == 0;
  }
  if (strcmp(argv[1], "mute") == 0) {
    const unsigned first = 0, one = 1;
    if (bpf_map_lookup_elem(fd, &first, value) != 0)
      return 1;
    memcpy(value + offsetof(struct sn_control, stopped), &one, sizeof(one));
    return bpf_map_update_elem(fd, &first, value, BPF_ANY) != 0;
  }
  memset(value, 0, sizeof(value));
  return bpf_map_get_next_key(fd, NULL, key) != 0 || bpf_map_update_elem(fd, key, value, BPF_ANY) != 0;
}
