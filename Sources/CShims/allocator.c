#include "cshims.h"

#if __has_include(<mimalloc.h>)
#include <mimalloc.h>
#endif

#ifdef MI_MALLOC_VERSION
// Weak: only the program links the allocator, not the libraries' tests.
#pragma weak mi_option_set

void kv_keep_freed_memory(int milliseconds) {
  if (mi_option_set == NULL) return;
#if MI_MALLOC_VERSION < 210
  mi_option_set(mi_option_decommit_delay, milliseconds);
  mi_option_set(mi_option_segment_decommit_delay, milliseconds);
#else
  mi_option_set(mi_option_purge_delay, milliseconds);
#endif
}
#else
void kv_keep_freed_memory(int milliseconds) { (void)milliseconds; }
#endif
