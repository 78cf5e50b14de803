#include "cshims.h"

void kv_prefetch(const void *data, size_t length) {
  const char *line = (const char *)((uintptr_t)data & ~(uintptr_t)63);
  const char *end = (const char *)data + length;
  for (; line < end; line += 64) __builtin_prefetch(line, 0, 3);
}
