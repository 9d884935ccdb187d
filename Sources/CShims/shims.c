#define _GNU_SOURCE
#include "CShims.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int zx_syncfs(int fd) { return syncfs(fd); }

int zx_lock(int fd) {
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int zx_is_locked(int fd) {
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd, F_OFD_GETLK, &lock) != 0) return -1;
    return lock.l_type != F_UNLCK;
}

int64_t zx_file_system_magic(const char *path) {
    struct statfs status;
    if (statfs(path, &status) != 0) return -1;
    return (int64_t)(uint32_t)status.f_type;
}

/* linux/ioprio.h came with kernel headers 5.15 only: class in the bits from 13 on, and of its "who" 1 is a thread. */
const int zx_io_priority_idle = 3 << 13;

int zx_io_priority(void) { return (int)syscall(SYS_ioprio_get, 1, 0); }

int zx_set_io_priority(int priority) { return (int)syscall(SYS_ioprio_set, 1, 0, priority); }

const int zx_o_path = O_PATH;

int zx_open_without_links(const char *path, size_t root_len, int flags, unsigned mode) {
    if (strstr(path + root_len, "/..") != NULL) {
        errno = EXDEV;
        return -1;
    }
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (unsigned)flags;
    how.mode = flags & O_CREAT ? mode : 0;
    how.resolve = RESOLVE_NO_SYMLINKS;
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}
