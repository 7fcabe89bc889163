/* shutdown DIR [log]: stops the file system that holds DIR at once, as a power cut would: ext4 and xfs write nothing
 * more, and without `log` not even what their journal had not flushed. The ioctl is the same for both. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define FS_SHUTDOWN _IOR('X', 125, uint32_t)
enum { FLUSH_LOG = 1, NO_FLUSH = 2 };

int main(int argc, char **argv)
{
  uint32_t how = argc > 2 ? FLUSH_LOG : NO_FLUSH;
  int fd = open(argc > 1 ? argv[1] : ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0 || ioctl(fd, FS_SHUTDOWN, &how)) {
    perror("shutdown");
    return 1;
  }
  return 0;
}
