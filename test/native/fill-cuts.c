/* Fills the table of processes that are cut off: fill-cuts fill|one|clear ID... finds the map of that name among these ids.
 * Its keys are no process numbers. Prints how many entries it made or took. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "sensor-abi.h"

#define FIRST 0x40000000u

static long bpf(int command, union bpf_attr *attr)
{
  return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int map_of(uint32_t id)
{
  struct bpf_map_info info;
  union bpf_attr attr;
  int fd;

  memset(&attr, 0, sizeof attr);
  attr.map_id = id;
  fd = (int)bpf(BPF_MAP_GET_FD_BY_ID, &attr);
  if (fd < 0)
    return -1;
  memset(&info, 0, sizeof info);
  memset(&attr, 0, sizeof attr);
  attr.info.bpf_fd = (uint32_t)fd;
  attr.info.info_len = sizeof info;
  attr.info.info = (uintptr_t)&info;
  if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && strcmp(info.name, "cut_tgid") == 0)
    return fd;
  close(fd);
  return -1;
}

int main(int argc, char **argv)
{
  struct sn_cut cut = {.start = 1, .until_ns = ~0ull};
  uint32_t key = FIRST, most;
  int map = -1;
  long done = 0;

  for (int i = 2; i < argc && map < 0; i++)
    map = map_of((uint32_t)strtoul(argv[i], NULL, 10));
  if (map < 0) {
    puts("no map");
    return 1;
  }
  most = strcmp(argv[1], "one") == 0 ? 1 : SN_CUT_MOST + 1;
  for (; key < FIRST + most; key++) {
    union bpf_attr attr;
    int clears = strcmp(argv[1], "fill") != 0;

    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)map;
    attr.key = (uintptr_t)&key;
    attr.value = clears ? 0 : (uintptr_t)&cut;
    if (bpf(clears ? BPF_MAP_DELETE_ELEM : BPF_MAP_UPDATE_ELEM, &attr) != 0) {
      if (!clears && errno == E2BIG)
        break;
      if (!clears || errno != ENOENT) {
        perror("bpf");
        return 1;
      }
      continue;
    }
    done++;
  }
  printf("%ld\n", done);
  return 0;
}
