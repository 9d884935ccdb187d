/* The few things Swift cannot call: GNU system calls and opaque handles for C streams that are too large for Swift values. */
#ifndef ZX_CSHIMS_H
#define ZX_CSHIMS_H

#include <stddef.h>
#include <stdint.h>

/* syncfs(2) of the file system that holds descriptor fd. Returns 0, or -1 with errno. */
int zx_syncfs(int fd);

/* Takes an open file description lock (F_OFD_SETLK) on the whole of fd for writing, without waiting.
   Returns 0, or -1 with errno: EAGAIN or EACCES where another description holds it. */
int zx_lock(int fd);

/* Whether another open file description holds that lock: 1, 0, or -1 with errno. */
int zx_is_locked(int fd);

/* statfs(2): the magic number of path's file system, or -1 with errno. */
int64_t zx_file_system_magic(const char *path);

/* open(2) of an absolute path that follows no symbolic link in any part of it (openat2, Linux 5.6 or later). A ".." behind the
   first root_len bytes is refused, too. Returns a descriptor, or -1 with errno: ELOOP for a link, EXDEV for "..". */
int zx_open_without_links(const char *path, size_t root_len, int flags, unsigned mode);

/* The calling thread's place in the queue for disks (ioprio_get, ioprio_set): class and level in one number. -1: not known here. */
int zx_io_priority(void);
int zx_set_io_priority(int priority);

/* Served when nobody else wants the disk. */
extern const int zx_io_priority_idle;

/* open(2): O_PATH, a place without rights to what is there. */
extern const int zx_o_path;

/* One gzip member written by ISA-L, level 1 to 3. The stream embeds 64 KB and lives on the heap. NULL: out of memory. */
typedef struct zx_deflater zx_deflater;
zx_deflater *zx_deflater_new(int level);
void zx_deflater_free(zx_deflater *deflater);

/* Begins a new member. */
void zx_deflater_reset(zx_deflater *deflater);

/* Compresses from *in (of *in_len bytes) to out. On return *in and *in_len name what was not consumed.
   last: the input is the member's end. *done becomes 1 when the member is complete.
   Returns the bytes written to out, or -1 for an error of ISA-L. */
int64_t zx_deflater_run(zx_deflater *deflater, const uint8_t **in, size_t *in_len, int last,
                        uint8_t *out, size_t out_len, int *done);

#endif
