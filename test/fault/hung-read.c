/* Loaded in front of the C library: a read of a 1-wire thermometer says so in the FIFO $HUNG, and
   then never comes back, as that of a thermometer with a broken wire may. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_thermometer(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, "/w1_slave") != NULL;
}

ssize_t read(int fd, void *buffer, size_t size) {
  static ssize_t (*next)(int, void *, size_t);
  if (next == NULL) next = dlsym(RTLD_NEXT, "read");
  if (is_thermometer(fd)) {
    int hung = open(getenv("HUNG"), O_WRONLY);
    if (hung >= 0 && write(hung, "hung\n", 5) == 5) close(hung);
    for (;;) pause();
  }
  return next(fd, buffer, size);
}
