#include "cshims.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u // reflected Castagnoli

static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; bit++) c = (c >> 1) ^ (c & 1 ? POLYNOMIAL : 0);
    table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int slice = 1; slice < 8; slice++)
      table[slice][i] = (table[slice - 1][i] >> 8) ^ table[0][table[slice - 1][i] & 0xff];
}

uint32_t kv_crc32c_portable(uint32_t crc, const void *data, size_t length) {
  pthread_once(&table_once, make_table);
  const uint8_t *p = data;
  uint32_t c = ~crc;
  while (length >= 8) {
    uint32_t low = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
    c = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff] ^ table[4][low >> 24] ^
        table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    p += 8;
    length -= 8;
  }
  while (length--) c = (c >> 8) ^ table[0][(c ^ *p++) & 0xff];
  return ~c;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

// Three independent streams hide the 3-cycle latency of the crc32 instruction. A stream's checksum is carried
// past the bytes of the streams behind it by a linear operator over GF(2), tabulated once per block length.
#define LONG_BLOCK 1024
#define SHORT_BLOCK 128

static uint32_t shift_long[4][256], shift_short[4][256];
static pthread_once_t shift_once = PTHREAD_ONCE_INIT;

static uint32_t multiply(const uint32_t *matrix, uint32_t vector) {
  uint32_t sum = 0;
  for (; vector; vector >>= 1, matrix++)
    if (vector & 1) sum ^= *matrix;
  return sum;
}

static void square(uint32_t *out, const uint32_t *in) {
  for (int i = 0; i < 32; i++) out[i] = multiply(in, in[i]);
}

/// Fills `shift` with the operator that appends `length` zero bytes (a power of two) to a message.
static void make_shift(uint32_t shift[4][256], size_t length) {
  uint32_t odd[32], even[32];
  odd[0] = POLYNOMIAL;
  for (int i = 1; i < 32; i++) odd[i] = 1u << (i - 1);
  square(even, odd); // two zero bits
  square(odd, even); // four
  uint32_t *from = odd, *to = even;
  for (size_t bytes = length; bytes; bytes >>= 1) {
    square(to, from);
    uint32_t *swap = from;
    from = to;
    to = swap;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int byte = 0; byte < 4; byte++) shift[byte][i] = multiply(from, i << (8 * byte));
}

static void make_shifts(void) {
  make_shift(shift_long, LONG_BLOCK);
  make_shift(shift_short, SHORT_BLOCK);
}

static inline uint32_t apply_shift(uint32_t shift[4][256], uint32_t crc) {
  return shift[0][crc & 0xff] ^ shift[1][(crc >> 8) & 0xff] ^ shift[2][(crc >> 16) & 0xff] ^ shift[3][crc >> 24];
}

static inline uint64_t load(const uint8_t *p) {
  uint64_t value;
  memcpy(&value, p, 8);
  return value;
}

__attribute__((target("sse4.2"))) static uint64_t
three_streams(uint64_t crc, const uint8_t *p, size_t block, uint32_t shift[4][256]) {
  uint64_t second = 0, third = 0;
  for (const uint8_t *end = p + block; p < end; p += 8) {
    crc = _mm_crc32_u64(crc, load(p));
    second = _mm_crc32_u64(second, load(p + block));
    third = _mm_crc32_u64(third, load(p + 2 * block));
  }
  crc = apply_shift(shift, (uint32_t)crc) ^ second;
  return apply_shift(shift, (uint32_t)crc) ^ third;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *data, size_t length) {
  const uint8_t *p = data;
  uint64_t c = ~crc;
  if (length >= 3 * SHORT_BLOCK) pthread_once(&shift_once, make_shifts);
  while (length >= 3 * LONG_BLOCK) {
    c = three_streams(c, p, LONG_BLOCK, shift_long);
    p += 3 * LONG_BLOCK;
    length -= 3 * LONG_BLOCK;
  }
  while (length >= 3 * SHORT_BLOCK) {
    c = three_streams(c, p, SHORT_BLOCK, shift_short);
    p += 3 * SHORT_BLOCK;
    length -= 3 * SHORT_BLOCK;
  }
  for (; length >= 8; p += 8, length -= 8) c = _mm_crc32_u64(c, load(p));
  for (; length; p++, length--) c = _mm_crc32_u8((uint32_t)c, *p);
  return ~(uint32_t)c;
}

uint32_t kv_crc32c(uint32_t crc, const void *data, size_t length) {
  return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, data, length)
                                          : kv_crc32c_portable(crc, data, length);
}
#else
uint32_t kv_crc32c(uint32_t crc, const void *data, size_t length) {
  return kv_crc32c_portable(crc, data, length);
}
#endif
