/* Connections and datagrams over IP. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "workload.h"

static int listener(int family, struct sockaddr_storage *address, socklen_t *length)
{
  int fd = socket(family, SOCK_STREAM, 0);
  memset(address, 0, sizeof(*address));
  if (family == AF_INET) {
    struct sockaddr_in *a = (void *)address;
    a->sin_family = AF_INET;
    a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *length = sizeof(*a);
  } else {
    struct sockaddr_in6 *a = (void *)address;
    a->sin6_family = AF_INET6;
    a->sin6_addr = in6addr_loopback;
    *length = sizeof(*a);
  }
  check(fd >= 0 && bind(fd, (void *)address, *length) == 0 && listen(fd, 64) == 0, "listen");
  getsockname(fd, (void *)address, length);
  return fd;
}

/* tcp 4|6 N: N connections over loopback, 1000 bytes one way and 10 back; prints "PORT CLIENTPORT". */
static void run_tcp(int argc, char **argv)
{
  struct sockaddr_storage address, own;
  socklen_t length, own_length;
  int n = atoi(argv[1]), server = listener(argv[0][0] == '6' ? AF_INET6 : AF_INET, &address, &length);
  for (int i = 0; i < n; i++) {
    char bytes[1000] = {0};
    int client = socket(address.ss_family, SOCK_STREAM, 0), peer;
    check(connect(client, (void *)&address, length) == 0, "connect");
    peer = accept(server, NULL, NULL);
    check(peer >= 0, "accept");
    check(write(client, bytes, 1000) == 1000, "write");
    for (int got = 0; got < 1000;) {
      ssize_t r = read(peer, bytes, sizeof(bytes));
      check(r > 0, "read");
      got += r;
    }
    check(write(peer, bytes, 10) == 10, "write");
    check(read(client, bytes, 10) == 10, "read");
    if (i == 0) {
      own_length = sizeof(own);
      getsockname(client, (void *)&own, &own_length);
      printf("%d %d\n", ntohs(((struct sockaddr_in *)&address)->sin_port), ntohs(((struct sockaddr_in *)&own)->sin_port));
      fflush(stdout);
    }
    /* The client closes first and waits for the other side, so that both ends see both FINs. */
    shutdown(client, SHUT_WR);
    check(read(peer, bytes, 1) == 0, "eof");
    close(peer);
    check(read(client, bytes, 1) == 0, "eof");
    close(client);
  }
}

/* One connection to `server` and its acceptance, both ends in this process, with `bytes` each way; ended by a reset, so
 * that no port stays in TIME_WAIT. */
static void connect_once(int server, struct sockaddr_storage *address, socklen_t length, int bytes)
{
  static char buffer[1 << 16];
  struct linger hard = {1, 0};
  int fd = socket(AF_INET, SOCK_STREAM, 0), peer;
  check(fd >= 0, "socket");
  check(connect(fd, (void *)address, length) == 0, "connect");
  peer = accept(server, NULL, NULL);
  check(peer >= 0, "accept");
  if (bytes) {
    check(write(fd, buffer, bytes) == bytes && read(peer, buffer, bytes) > 0, "ask");
    check(write(peer, buffer, bytes) == bytes && read(fd, buffer, bytes) > 0, "answer");
  }
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close(fd);
  close(peer);
}

/* connects N BYTES */
static void run_connects(int argc, char **argv)
{
  struct sockaddr_storage address;
  socklen_t length;
  int n = atoi(argv[0]), server = listener(AF_INET, &address, &length);
  for (int i = 0; i < n; i++)
    connect_once(server, &address, length, argc > 1 ? atoi(argv[1]) : 0);
}

/* connectsfor MS: as many as it can in that time; prints how many. */
static void run_connects_for(int argc, char **argv)
{
  struct sockaddr_storage address;
  socklen_t length;
  int64_t end = now_ms() + atoi(argv[0]);
  int server = listener(AF_INET, &address, &length);
  long n = 0;
  for (; n % 64 || now_ms() < end; n++)
    connect_once(server, &address, length, 0);
  printf("%ld\n", n);
}

static void run_refused(int argc, char **argv)
{
  struct sockaddr_storage address;
  socklen_t length;
  int fd = listener(AF_INET, &address, &length);
  close(fd);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  check(connect(fd, (void *)&address, length) < 0 && errno == ECONNREFUSED, "refused");
  close(fd);
}

/* udp N: N datagrams to one address without connecting, then one to another, then a connected socket. */
static void run_udp(int argc, char **argv)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(5353)};
  int fd = socket(AF_INET, SOCK_DGRAM, 0), n = atoi(argv[0]);
  a.sin_addr.s_addr = htonl(0x7f000009);
  for (int i = 0; i < n; i++)
    sendto(fd, "x", 1, 0, (void *)&a, sizeof(a));
  a.sin_port = htons(5454);
  sendto(fd, "x", 1, 0, (void *)&a, sizeof(a));
  fd = socket(AF_INET, SOCK_DGRAM, 0);
  a.sin_port = htons(5555);
  check(connect(fd, (void *)&a, sizeof(a)) == 0, "connect");
}

static size_t question(uint8_t *out, const char *name, int type)
{
  static const uint8_t head[12] = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  uint8_t *at = out + 12;
  memcpy(out, head, 12);
  while (*name) {
    size_t label = strcspn(name, ".");
    *at++ = label;
    memcpy(at, name, label);
    at += label;
    name += label + (name[label] == '.');
  }
  *at++ = 0;
  *at++ = type >> 8;
  *at++ = type;
  *at++ = 0;
  *at++ = 1;
  return at - out;
}

/* dns NAME TYPE: one question over IPv4, one over IPv6. */
static void run_dns(int argc, char **argv)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
  struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = htons(53), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  uint8_t bytes[600];
  size_t length = question(bytes, argv[0], atoi(argv[1]));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sendto(socket(AF_INET, SOCK_DGRAM, 0), bytes, length, 0, (void *)&a, sizeof(a));
  sendto(socket(AF_INET6, SOCK_DGRAM, 0), bytes, length, 0, (void *)&b, sizeof(b));
}

const struct command NETWORK_COMMANDS[] = {
    {"tcp", 2, run_tcp},
    {"connects", 1, run_connects},
    {"connectsfor", 1, run_connects_for},
    {"refused", 0, run_refused},
    {"udp", 1, run_udp},
    {"dns", 2, run_dns},
    {NULL, 0, NULL},
};
