#include "cshims.h"

static int count;
static char **vector;

// The GNU C library passes the constructors of a program what it passes to main.
__attribute__((constructor)) static void remember(int argc, char **argv) {
  count = argc;
  vector = argv;
}

int kv_argument_count(void) { return count; }

const char *kv_argument(int index) { return index >= 0 && index < count ? vector[index] : NULL; }
