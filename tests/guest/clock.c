/* SPDX-License-Identifier: BSD-2-Clause */
/* In a guest: the card's clock, and time stamps of frames that it sent.
 *
 *   guest-clock INTERFACE PTP-DEVICE ADDRESS
 *
 * Prints how far the card's clock went while the kernel's went 1000 ms, in ms; then sends two
 * PTP event messages to ADDRESS, port 319, with 200 ms of the card's clock between them at least,
 * asks for the stamp of each, and prints by how much the first lies behind the card's clock as read
 * before the sending, and the second behind the first, in ms. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PTP_EVENT_PORT 319

static int fail(const char *what)
{
  fprintf(stderr, "guest-clock: %s: %s\n", what, strerror(errno));
  return 1;
}

/* The clock behind a file descriptor, as clock_gettime(2) takes it (linux/posix-timers.h). */
static clockid_t clock_of(int fd)
{
  return (clockid_t)(~(unsigned)fd << 3) | 3;
}
static double now_ms(clockid_t clock)
{
  struct timespec now = {0};
  clock_gettime(clock, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int stamp_sent_frames(int udp, const char *interface)
{
  struct hwtstamp_config config = {.tx_type = HWTSTAMP_TX_ON,
                                   .rx_filter = HWTSTAMP_FILTER_PTP_V2_EVENT};
  struct ifreq request = {.ifr_data = (void *)&config};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
  if (ioctl(udp, SIOCSHWTSTAMP, &request) < 0)
    return -1;
  int flags = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
  return setsockopt(udp, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags);
}

/* The hardware stamp that waits in the error queue, in ms; 0: none. */
static double stamp_ms(int udp)
{
  union {
    char bytes[512];
    struct cmsghdr aligned;
  } control;
  char frame[256];
  struct iovec piece = {frame, sizeof frame};
  struct msghdr message = {.msg_iov = &piece,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
  struct pollfd wait = {.fd = udp};
  if (poll(&wait, 1, 3000) <= 0 || recvmsg(udp, &message, MSG_ERRQUEUE) < 0)
    return 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING)
      continue;
    struct scm_timestamping stamps;
    memcpy(&stamps, CMSG_DATA(c), sizeof stamps);
    return (double)stamps.ts[2].tv_sec * 1e3 + (double)stamps.ts[2].tv_nsec / 1e6;
  }
  return 0;
}

/* Send an event message. Returns its stamp, in ms; 0: none. */
static double send_stamped(int udp, const struct sockaddr_in *to)
{
  /* A Delay_Req of PTP version 2 (IEEE 1588-2008 13.6): nothing in it matters but type and version.
   */
  const unsigned char request[44] = {0x01, 0x02, 0, sizeof request};
  if (sendto(udp, request, sizeof request, 0, (const struct sockaddr *)to, sizeof *to) < 0)
    return 0;
  return stamp_ms(udp);
}

int main(int argc, char **argv)
{
  if (argc != 4) {
    fputs("usage: guest-clock INTERFACE PTP-DEVICE ADDRESS\n", stderr);
    return 2;
  }
  int ptp = open(argv[2], O_RDWR);
  if (ptp < 0)
    return fail(argv[2]);
  const struct timespec second = {.tv_sec = 1};
  double kernel = now_ms(CLOCK_MONOTONIC), card = now_ms(clock_of(ptp));
  nanosleep(&second, NULL);
  card = now_ms(clock_of(ptp)) - card;
  kernel = now_ms(CLOCK_MONOTONIC) - kernel;
  printf("advanced %.0f\n", card * 1000 / kernel);

  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  if (stamp_sent_frames(udp, argv[1]) < 0)
    return fail("stamp sent frames");
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PTP_EVENT_PORT)};
  inet_pton(AF_INET, argv[3], &to.sin_addr);
  double before = now_ms(clock_of(ptp));
  double first = send_stamped(udp, &to);
  const struct timespec pause = {.tv_nsec = 200000000};
  nanosleep(&pause, NULL);
  double second_stamp = send_stamped(udp, &to);
  if (first == 0 || second_stamp == 0)
    return fail("a frame without a stamp within 3 s");
  printf("stamped %.0f\nagain %.0f\n", first - before, second_stamp - first);
  return 0;
}
