#define _GNU_SOURCE
#include "cshims.h"

#include <sys/mman.h>

int kv_memory_file(void) { return memfd_create("kv", MFD_CLOEXEC); }
