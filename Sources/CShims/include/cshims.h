#ifndef KV_CSHIMS_H
#define KV_CSHIMS_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `crc` (0 to start).
/// Uses SSE4.2 where the CPU has it, tables elsewhere; both give the same value.
uint32_t kv_crc32c(uint32_t crc, const void *data, size_t length);

/// The same value by tables alone: what a CPU without SSE4.2 computes. For tests.
uint32_t kv_crc32c_portable(uint32_t crc, const void *data, size_t length);

/// epoll(7), which Swift's Glibc module leaves out: a new instance, closed on exec; -1 with errno.
int kv_epoll_create(void);

/// Watches a descriptor for input until it is closed; `tag` names it in `kv_epoll_wait`. -1 with errno.
int kv_epoll_add(int epoll, int descriptor, uint64_t tag);

/// Waits until some descriptor has input or an error, at most so many milliseconds; puts the tags of up to `capacity`
/// of them into `tags` and gives their number. -1 with errno.
int kv_epoll_wait(int epoll, uint64_t *tags, int capacity, int milliseconds);

/// How many arguments the process was started with, its name among them; and each, NULL beyond the last. Swift looks for
/// them on the stack below the environment, and finds none where a preloaded library has moved that (ld.so(8)).
int kv_argument_count(void);
const char *kv_argument(int index);

/// A file in memory alone, closed on exec (memfd_create(2)); -1 with errno.
int kv_memory_file(void);

/// Asks the CPU to bring the cache lines of `length` bytes near, all at once. Reads nothing: any address is allowed.
void kv_prefetch(const void *data, size_t length);

/// Has the allocator that the program is linked with, where it is mimalloc, keep what was freed for so long before it
/// gives it back to the system. Elsewhere nothing changes.
void kv_keep_freed_memory(int milliseconds);

#endif
