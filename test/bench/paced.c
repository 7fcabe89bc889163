/* A steady load: paced RATE SECONDS EXEC_SHARE DIRECTORY. RATE kernel events a second, EXEC_SHARE percent of them from
 * programs being started (fork, exec, exit), the rest from files (create, write, unlink). Prints the events it caused. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long start_program(void)
{
  char *const argv[] = {"/proc/self/exe", NULL};
  pid_t child;
  if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ) != 0)
    return 0;
  waitpid(child, NULL, 0);
  return 3;
}

static long touch_file(const char *directory, long number)
{
  char path[512];
  snprintf(path, sizeof path, "%s/paced-%ld", directory, number % 64);
  int fd = open(path, O_CREAT | O_WRONLY, 0600);
  if (fd < 0)
    return 0;
  if (write(fd, "x", 1) != 1)
    return 0;
  close(fd);
  unlink(path);
  return 3;
}

int main(int argc, char **argv)
{
  if (argc < 5)
    return 0; /* what it starts is itself: a small static program that does nothing */
  double rate = atof(argv[1]), seconds = atof(argv[2]), begin = now();
  long share = atol(argv[3]), caused = 0, turn = 0;
  while (now() - begin < seconds) {
    double due = (now() - begin) * rate;
    while ((double)caused < due) {
      turn++;
      caused += turn % 100 < share ? start_program() : touch_file(argv[4], turn);
    }
    struct timespec pause = {0, 500000};
    nanosleep(&pause, NULL);
  }
  printf("%ld\n", caused);
  return 0;
}
