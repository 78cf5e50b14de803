#include "COpenSSL.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// A BIO is called only from inside libssl calls on its connection, so by one thread at a time.

enum { SPILL_START = 4096, SPILL_KEEP = 65536 };

static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static int lent_create(BIO *bio) {
  kv_lent_io *io = calloc(1, sizeof(*io));
  if (io == NULL) return 0;
  BIO_set_data(bio, io);
  BIO_set_init(bio, 1);
  return 1;
}

static int lent_destroy(BIO *bio) {
  if (bio == NULL) return 0;
  kv_lent_io *io = BIO_get_data(bio);
  if (io != NULL) free(io->spill);
  free(io);
  BIO_set_data(bio, NULL);
  return 1;
}

static int lent_read(BIO *bio, char *into, size_t capacity, size_t *count) {
  kv_lent_io *io = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (io->input_count == 0) {
    BIO_set_retry_read(bio);
    *count = 0;
    return -1;
  }
  size_t n = io->input_count < capacity ? io->input_count : capacity;
  memcpy(into, io->input, n);
  io->input += n;
  io->input_count -= n;
  *count = n;
  return 1;
}

static int spill_reserve(kv_lent_io *io, size_t more) {
  size_t needed = io->spill_count + more;
  if (needed <= io->spill_capacity) return 1;
  size_t capacity = io->spill_capacity == 0 ? SPILL_START : io->spill_capacity;
  while (capacity < needed) capacity *= 2;
  uint8_t *grown = realloc(io->spill, capacity);
  if (grown == NULL) return 0;
  io->spill = grown;
  io->spill_capacity = capacity;
  return 1;
}

static int lent_write(BIO *bio, const char *from, size_t count, size_t *written) {
  kv_lent_io *io = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  size_t room = io->spill_count == 0 ? io->output_capacity - io->output_count : 0;
  size_t direct = count < room ? count : room;
  if (direct < count && !spill_reserve(io, count - direct)) {
    *written = 0;
    return -1;
  }
  if (direct > 0) {
    memcpy(io->output + io->output_count, from, direct);
    io->output_count += direct;
  }
  if (direct < count) {
    memcpy(io->spill + io->spill_count, from + direct, count - direct);
    io->spill_count += count - direct;
  }
  *written = count;
  return 1;
}

static long lent_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static void make_method(void) {
  BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lent memory");
  if (made == NULL) return;
  BIO_meth_set_create(made, lent_create);
  BIO_meth_set_destroy(made, lent_destroy);
  BIO_meth_set_read_ex(made, lent_read);
  BIO_meth_set_write_ex(made, lent_write);
  BIO_meth_set_ctrl(made, lent_control);
  method = made;
}

BIO *kv_lent_bio_new(void) {
  pthread_once(&method_once, make_method);
  return method == NULL ? NULL : BIO_new(method);
}

kv_lent_io *kv_lent_bio_io(BIO *bio) { return BIO_get_data(bio); }

size_t kv_lent_spill_take(kv_lent_io *io, uint8_t *into, size_t capacity) {
  size_t n = io->spill_count < capacity ? io->spill_count : capacity;
  if (n == 0) return 0;
  memcpy(into, io->spill, n);
  io->spill_count -= n;
  if (io->spill_count > 0) {
    memmove(io->spill, io->spill + n, io->spill_count);
  } else if (io->spill_capacity > SPILL_KEEP) {
    free(io->spill);
    io->spill = NULL;
    io->spill_capacity = 0;
  }
  return n;
}
