/* Ends in network namespaces of their own, and a line between any two of them that may lose, delay, limit or cut.
 *
 *   switchboard ENDS SEED
 *
 * End 0 is the namespace in which this program is started, at 10.0.0.254; end N, from 1 to ENDS, is a new one,
 * at 10.0.0.N. Prints `end N /proc/PID/fd/FD` for each, by which nsenter(1) enters it, then `ready`. All of it
 * is gone when this program ends, which it does when its standard input ends.
 *
 * A command is a line `FROM TO DELAY LOSS MAX`: how packets go that way from now on. DELAY is in milliseconds;
 * LOSS is how many of 1,000 packets are lost, 1000 for a line that is cut; MAX is how many bytes the longest
 * packet may have, as where a tunnel is narrower than both ends believe and nothing tells them. The answer is
 * `lost N`: how many packets have not arrived that way so far.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ENDS = 64, MAX_PACKET = 2048, HERE = 254, READ_AT_ONCE = 64 };

struct line { long delay, loss, max, lost; };

struct packet {
  struct packet *next;
  double due;
  int to;
  ssize_t length;
  unsigned char bytes[MAX_PACKET];
};

static int ends, tuns[MAX_ENDS];
static struct line lines[MAX_ENDS][MAX_ENDS];
/* The packets under way, by when they are due. */
static struct packet *first;
static uint64_t dice;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Below 1,000; xorshift64*, so that a run draws what its seed says. */
static long draw(void) {
  dice ^= dice >> 12;
  dice ^= dice << 25;
  dice ^= dice >> 27;
  return (dice * 0x2545F4914F6CDD1DULL >> 33) % 1000;
}

static void bring_up(int control, const char *name) {
  struct ifreq request = {0};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(control, SIOCSIFFLAGS, &request) < 0) err(1, "cannot bring up %s", name);
}

/* Open the one device of an end in the namespace that this process is in now. */
static int open_end(int host) {
  struct ifreq request = {0};
  struct sockaddr_in address = {.sin_family = AF_INET};
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (tun < 0 || control < 0) err(1, "cannot open /dev/net/tun");
  strcpy(request.ifr_name, "line");
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(tun, TUNSETIFF, &request) < 0) err(1, "cannot make a device");
  address.sin_addr.s_addr = htonl(0x0A000000 + host);
  memcpy(&request.ifr_addr, &address, sizeof address);
  if (ioctl(control, SIOCSIFADDR, &request) < 0) err(1, "cannot set an address");
  address.sin_addr.s_addr = htonl(0xFFFFFF00);
  memcpy(&request.ifr_netmask, &address, sizeof address);
  if (ioctl(control, SIOCSIFNETMASK, &request) < 0) err(1, "cannot set a mask");
  bring_up(control, "line");
  bring_up(control, "lo");
  close(control);
  return tun;
}

static void open_ends(void) {
  int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  tuns[0] = open_end(HERE);
  for (int end = 1; end <= ends; end += 1) {
    if (unshare(CLONE_NEWNET) < 0) err(1, "cannot make a network namespace");
    tuns[end] = open_end(end);
    printf("end %d /proc/%d/fd/%d\n", end, getpid(), open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  }
  if (setns(here, CLONE_NEWNET) < 0) err(1, "cannot come back to the first namespace");
}

static void enqueue(struct packet *packet) {
  struct packet **place = &first;
  while (*place != NULL && (*place)->due <= packet->due) place = &(*place)->next;
  packet->next = *place;
  *place = packet;
}

/* Take what an end sends, and decide what becomes of it. */
static void take(int from) {
  for (int count = 0; count < READ_AT_ONCE; count += 1) {
    struct packet *packet = malloc(sizeof *packet);
    if (packet == NULL) err(1, "no memory");
    packet->length = read(tuns[from], packet->bytes, MAX_PACKET);
    /* Without what is not IPv4, as the ends' search for routers. */
    if (packet->length < 20 || packet->bytes[0] >> 4 != 4) {
      int is_empty = packet->length < 0;
      free(packet);
      if (is_empty) return;
      continue;
    }
    int host = packet->bytes[19];
    packet->to = host == HERE ? 0 : host;
    if (packet->to > ends) { free(packet); continue; }
    struct line *line = &lines[from][packet->to];
    if (draw() < line->loss || packet->length > line->max) {
      line->lost += 1;
      free(packet);
      continue;
    }
    packet->due = now_ms() + line->delay;
    enqueue(packet);
  }
}

static void deliver(void) {
  while (first != NULL && first->due <= now_ms()) {
    struct packet *packet = first;
    first = packet->next;
    /* An end that has no room loses the packet, as a full router does. */
    ssize_t written = write(tuns[packet->to], packet->bytes, packet->length);
    (void)written;
    free(packet);
  }
}

static void obey(const char *command) {
  int from, to;
  long delay, loss, max;
  if (sscanf(command, "%d %d %ld %ld %ld", &from, &to, &delay, &loss, &max) != 5 || from < 0 || to < 0 ||
      from > ends || to > ends)
    errx(1, "not a command: %s", command);
  struct line *line = &lines[from][to];
  *line = (struct line){delay, loss, max, line->lost};
  printf("lost %ld\n", line->lost);
}

/* Do what stands in the input by now. Returns 0 when it has ended. */
static int read_commands(void) {
  static char text[65536];
  static size_t length;
  ssize_t got = read(STDIN_FILENO, text + length, sizeof text - 1 - length);
  if (got <= 0) return 0;
  length += got;
  text[length] = 0;
  char *start = text;
  for (char *end; (end = strchr(start, '\n')) != NULL; start = end + 1) {
    *end = 0;
    obey(start);
  }
  length -= start - text;
  memmove(text, start, length);
  return 1;
}

int main(int count, char **arguments) {
  if (count != 3) errx(2, "usage: switchboard ENDS SEED");
  ends = atoi(arguments[1]);
  dice = strtoull(arguments[2], NULL, 10) * 2 + 1;
  if (ends < 1 || ends >= MAX_ENDS) errx(2, "ENDS is from 1 to %d", MAX_ENDS - 1);
  for (int from = 0; from <= ends; from += 1)
    for (int to = 0; to <= ends; to += 1) lines[from][to].max = MAX_PACKET;
  setvbuf(stdout, NULL, _IOLBF, 0);
  open_ends();
  printf("ready\n");
  struct pollfd polled[MAX_ENDS + 1];
  for (int end = 0; end <= ends; end += 1) polled[end] = (struct pollfd){tuns[end], POLLIN, 0};
  polled[ends + 1] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
  for (;;) {
    double wait = first == NULL ? -1 : first->due - now_ms();
    if (poll(polled, ends + 2, first == NULL ? -1 : wait < 0 ? 0 : (int)wait + 1) < 0) err(1, "poll");
    for (int end = 0; end <= ends; end += 1)
      if (polled[end].revents & POLLIN) take(end);
    deliver();
    if (polled[ends + 1].revents != 0 && !read_commands()) return 0;
  }
}
