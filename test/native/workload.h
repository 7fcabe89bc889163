/* What the parts of the workload share. Each part is a table of commands; a NULL name ends it. */
#ifndef SENTINEL_WORKLOAD_H
#define SENTINEL_WORKLOAD_H
#include <stdint.h>
#include <sys/types.h>

struct command {
  const char *name;
  int args; /* at least */
  void (*run)(int argc, char **argv);
};

extern const struct command PROCESS_COMMANDS[], FILE_COMMANDS[], NETWORK_COMMANDS[], RARE_COMMANDS[], EVADE_COMMANDS[];

/* Ends the program with 3 and the reason of the last failure. */
void die(const char *what);
void check(int ok, const char *what);
void reap(pid_t child);
int64_t now_ms(void);
/* "directory/prefixNUMBER" */
void name_of(char *out, const char *directory, const char *prefix, int i);

#endif
