/* The few things Swift cannot call: GNU system calls and opaque handles for C streams that are too large for Swift values. */
#ifndef ZX_CSHIMS_H
#define ZX_CSHIMS_H

#include <stddef.h>
#include <stdint.h>

/* syncfs(2) of the file system that holds descriptor fd. Returns 0, or -1 with errno. */
int zx_syncfs(int fd);

#endif
