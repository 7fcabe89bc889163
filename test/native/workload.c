/* Does one thing at a time, a known number of times, so that tests can say what the sensor must have seen. Static, so
 * that it also runs as the only program of a tiny guest. The commands are in workload-*.c, by subject. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "workload.h"

void die(const char *what)
{
  fprintf(stderr, "workload: %s: %s\n", what, strerror(errno));
  exit(3);
}

void check(int ok, const char *what)
{
  if (!ok)
    die(what);
}

void reap(pid_t child)
{
  int status;
  check(waitpid(child, &status, 0) == child, "waitpid");
}

int64_t now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void name_of(char *out, const char *directory, const char *prefix, int i)
{
  sprintf(out, "%s/%s%d", directory, prefix, i);
}

int main(int argc, char **argv)
{
  static const struct command *const tables[] = {PROCESS_COMMANDS, FILE_COMMANDS, NETWORK_COMMANDS, RARE_COMMANDS,
                                                 EVADE_COMMANDS};
  for (size_t t = 0; argc > 1 && t < sizeof(tables) / sizeof(tables[0]); t++) {
    for (const struct command *command = tables[t]; command->name; command++) {
      if (strcmp(argv[1], command->name) != 0)
        continue;
      if (argc - 2 >= command->args) {
        command->run(argc - 2, argv + 2);
        return 0;
      }
    }
  }
  fprintf(stderr, "usage: workload COMMAND ARGUMENT...\n");
  return 2;
}
