#ifndef KV_CSHIMS_H
#define KV_CSHIMS_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `length` bytes, continuing from `crc` (0 to start).
/// Uses SSE4.2 where the CPU has it, tables elsewhere; both give the same value.
uint32_t kv_crc32c(uint32_t crc, const void *data, size_t length);

/// The same value by tables alone: what a CPU without SSE4.2 computes. For tests.
uint32_t kv_crc32c_portable(uint32_t crc, const void *data, size_t length);

/// Asks the CPU to bring the cache lines of `length` bytes near, all at once. Reads nothing: any address is allowed.
void kv_prefetch(const void *data, size_t length);

#endif
