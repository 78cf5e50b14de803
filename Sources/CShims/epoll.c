#include "cshims.h"

#include <sys/epoll.h>

#define MOST_EVENTS 256

int kv_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int kv_epoll_add(int epoll, int descriptor, uint64_t tag) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int kv_epoll_wait(int epoll, uint64_t *tags, int capacity, int milliseconds) {
  struct epoll_event events[MOST_EVENTS];
  int count = epoll_wait(epoll, events, capacity < MOST_EVENTS ? capacity : MOST_EVENTS, milliseconds);
  for (int i = 0; i < count; i++) tags[i] = events[i].data.u64;
  return count;
}
