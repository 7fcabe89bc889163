/* Shared by the parts of the loader: bpf-hooks.c (what this kernel has), bpf-loader.c (load), bpf-attach.c (run). */
#ifndef SENTINEL_BPF_INTERNAL_H
#define SENTINEL_BPF_INTERNAL_H
#include "bpf-loader.h"

struct btf;

enum sn_kind { TP_BTF, SYS_ENTER, SYS_EXIT, CGROUP, LSM, FENTRY, ITER };

struct sn_hook {
  uint32_t id;
  const char *name;
  enum sn_kind kind;
  const char *target;
  const char *program;
  uint64_t cookie;
};

/* One row of hooks.h each, in its order; loader->hooks has the same order. */
extern const struct sn_hook SN_HOOK_TABLE[];
extern const size_t SN_HOOK_COUNT;

/* Directory descriptors, without depending on where or whether the file system is mounted; -1 and errno on failure. */
int sn_open_tracefs(void);
int sn_open_cgroup(const char *path);
/* Number in a small file; -1 when it cannot be read. */
long sn_read_number(int directory, const char *path);

struct sn_hook_info *sn_info_of(struct sn_loader *loader, uint32_t id);
void sn_set_missing(struct sn_hook_info *info, const char *format, ...);
/* Decides which hooks this kernel can have; ACTIVE stands for "to be attached" until sn_loader_attach(). */
void sn_probe_hooks(struct sn_loader *loader, const struct btf *btf);
/* Where two hooks see the same thing, the better one stands in for the other. */
void sn_choose_replacements(struct sn_loader *loader);

/* Sets loader->error and returns `failure`. */
enum sn_failure sn_fail(struct sn_loader *loader, enum sn_failure failure, const char *format, ...);

#endif
