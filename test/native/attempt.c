/* Attempts one thing and says how it went: "ok", or the number of the error. What a policy forbids is tried with it.
 *   connect tcp|udp ADDRESS PORT    send ADDRESS PORT    open PATH    exec COUNT PROGRAM ARG (prints how often by signal,
 *   by error and normally)    memfd PROGRAM ARG    wait */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static socklen_t address_of(struct sockaddr_storage *address, const char *text, const char *port)
{
  struct sockaddr_in *v4 = (void *)address;
  struct sockaddr_in6 *v6 = (void *)address;

  memset(address, 0, sizeof(*address));
  if (strchr(text, ':')) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(atoi(port));
    inet_pton(AF_INET6, text, &v6->sin6_addr);
    return sizeof(*v6);
  }
  v4->sin_family = AF_INET;
  v4->sin_port = htons(atoi(port));
  inet_pton(AF_INET, text, &v4->sin_addr);
  return sizeof(*v4);
}

static int say(int result)
{
  if (result < 0)
    printf("%d\n", errno);
  else
    puts("ok");
  return 0;
}

static int run(int count, const char *program, const char *prefix)
{
  int by_signal = 0, by_error = 0, normal = 0;
  char path[512];

  for (int i = 0; i < count; i++) {
    int status;
    snprintf(path, sizeof(path), "%s%d", prefix, i);
    char *const args[] = {(char *)program, path, NULL};
    pid_t child = vfork();
    if (child == 0) {
      execv(program, args);
      _exit(errno == EPERM ? 77 : 78);
    }
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == 9)
      by_signal++;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
      by_error++;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
      normal++;
  }
  printf("%d %d %d\n", by_signal, by_error, normal);
  return 0;
}

static int run_memfd(const char *program, const char *argument)
{
  int from = open(program, O_RDONLY), memory = memfd_create("copy", 0), status;
  char *const args[] = {"copy", (char *)argument, NULL}, *const environment[] = {NULL};
  struct stat stat;

  fstat(from, &stat);
  sendfile(memory, from, NULL, stat.st_size);
  pid_t child = fork();
  if (child == 0) {
    fexecve(memory, args, environment);
    _exit(errno == EPERM ? 77 : 78);
  }
  waitpid(child, &status, 0);
  printf("%d %d %d\n", WIFSIGNALED(status), WIFEXITED(status) && WEXITSTATUS(status) == 77,
         WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return 0;
}

int main(int argc, char **argv)
{
  struct sockaddr_storage address;
  socklen_t length;

  if (argc == 5 && strcmp(argv[1], "connect") == 0) {
    int fd;
    length = address_of(&address, argv[3], argv[4]);
    fd = socket(address.ss_family, strcmp(argv[2], "tcp") == 0 ? SOCK_STREAM : SOCK_DGRAM, 0);
    if (connect(fd, (void *)&address, length) < 0)
      return say(-1);
    return say(send(fd, "x", 1, MSG_NOSIGNAL) < 0 ? -1 : 0);
  }
  if (argc == 4 && strcmp(argv[1], "send") == 0) {
    length = address_of(&address, argv[2], argv[3]);
    return say(sendto(socket(address.ss_family, SOCK_DGRAM, 0), "x", 1, 0, (void *)&address, length) < 0 ? -1 : 0);
  }
  if (argc == 3 && strcmp(argv[1], "open") == 0)
    return say(open(argv[2], O_RDONLY) < 0 ? -1 : 0);
  if (argc == 5 && strcmp(argv[1], "exec") == 0)
    return run(atoi(argv[2]), argv[3], argv[4]);
  if (argc == 4 && strcmp(argv[1], "memfd") == 0)
    return run_memfd(argv[2], argv[3]);
  if (argc == 2 && strcmp(argv[1], "wait") == 0) {
    puts("ready");
    fflush(stdout);
    pause();
  }
  return 2;
}
