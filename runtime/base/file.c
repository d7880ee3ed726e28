/* See file.h. */
#include "runtime/base/file.h"

#include "runtime/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK_BYTES 16384u
#define N_NAME_TRIES     16

enum drift_status drift_file_map_open(struct drift_file_map *map, const char *path,
                                      struct drift_error *err)
{
    /* O_NONBLOCK: opening a FIFO by mistake must not hang; regular files ignore it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return drift_error_set_errno(err, errno, "cannot open %s", path);
    enum drift_status status = DRIFT_STATUS_OK;
    struct drift_file_map made = {0};
    struct stat st;
    if (fstat(fd, &st) != 0) {
        status = drift_error_set_errno(err, errno, "cannot stat %s", path);
    } else if (!S_ISREG(st.st_mode)) {
        status =
            drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0, "%s is not a regular file", path);
    } else if (st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = drift_error_set_errno(err, errno, "cannot map %s", path);
        else
            made = (struct drift_file_map){.data = data, .size_bytes = (uint64_t)st.st_size};
    }
    close(fd);
    if (status == DRIFT_STATUS_OK)
        *map = made;
    return status;
}

void drift_file_map_close(struct drift_file_map *map)
{
    if (map->data)
        munmap((void *)(uintptr_t)map->data, (size_t)map->size_bytes);
    *map = (struct drift_file_map){0};
}

void drift_file_map_drop(const struct drift_file_map *map, uint64_t offset, uint64_t n)
{
    if (!map->data || offset >= map->size_bytes)
        return;
    if (n > map->size_bytes - offset)
        n = map->size_bytes - offset;
    /* Only whole pages: the neighbours' bytes are still wanted. */
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t first = (offset + page - 1) / page * page;
    uint64_t end = offset + n == map->size_bytes ? map->size_bytes : (offset + n) / page * page;
    if (first < end)
        (void)madvise((void *)(uintptr_t)(map->data + first), (size_t)(end - first), MADV_DONTNEED);
}

static enum drift_status read_all(int fd, const char *path, struct drift_buf *out,
                                  struct drift_error *err)
{
    char chunk[READ_CHUNK_BYTES];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            return DRIFT_STATUS_OK;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return drift_error_set_errno(err, errno, "cannot read %s", path);
        if ((size_t)n > out->cap_bytes - out->len)
            return drift_error_set(err, DRIFT_STATUS_LIMIT, 0, "%s is larger than %zu bytes", path,
                                   out->cap_bytes);
        drift_buf_append(out, chunk, (size_t)n);
        if (out->failed)
            return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to read %s", path);
    }
}

enum drift_status drift_file_read(const char *path, struct drift_buf *out, struct drift_error *err)
{
    DRIFT_ASSERT(!out->failed);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return drift_error_set_errno(err, errno, "cannot open %s", path);
    size_t len = out->len;
    enum drift_status status = read_all(fd, path, out, err);
    close(fd);
    if (status != DRIFT_STATUS_OK) {
        drift_buf_truncate(out, len);
        out->failed = false;
    }
    return status;
}

static enum drift_status write_all(int fd, const char *path, const char *data, size_t len,
                                   struct drift_error *err)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return drift_error_set_errno(err, errno, "cannot write %s", path);
        data += n;
        len -= (size_t)n;
    }
    if (fsync(fd) != 0)
        return drift_error_set_errno(err, errno, "cannot flush %s", path);
    return DRIFT_STATUS_OK;
}

/* Create a file of a random name beside path, with the permissions a plain creat would give. */
static int create_beside(const char *path, struct drift_buf *name)
{
    for (int i = 0; i < N_NAME_TRIES; i++) {
        uint64_t unique;
        drift_random_bytes(&unique, sizeof unique);
        drift_buf_reset(name);
        drift_buf_printf(name, "%s.%016" PRIx64 ".tmp", path, unique);
        if (name->failed) {
            errno = ENOMEM;
            return -1;
        }
        int fd = open(drift_buf_cstr(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* Make the rename itself survive a power cut. Best effort: some file systems refuse it. */
static void sync_folder_of(const char *path, struct drift_buf *name)
{
    const char *slash = strrchr(path, '/');
    drift_buf_reset(name);
    if (slash)
        drift_buf_append(name, path, (size_t)(slash - path) + 1);
    else
        drift_buf_append_char(name, '.');
    int fd = name->failed ? -1 : open(drift_buf_cstr(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

enum drift_status drift_file_replace(const char *path, const void *data, size_t len,
                                     struct drift_error *err)
{
    struct drift_buf name;
    drift_buf_init(&name, DRIFT_TAG_BASE, 65536);
    enum drift_status status;
    int fd = create_beside(path, &name);
    if (fd < 0) {
        status = drift_error_set_errno(err, errno, "cannot create a file beside %s", path);
        goto done;
    }
    status = write_all(fd, path, data, len, err);
    if (close(fd) != 0 && status == DRIFT_STATUS_OK)
        status = drift_error_set_errno(err, errno, "cannot write %s", path);
    if (status == DRIFT_STATUS_OK && rename(drift_buf_cstr(&name), path) != 0)
        status = drift_error_set_errno(err, errno, "cannot replace %s", path);
    if (status != DRIFT_STATUS_OK)
        (void)unlink(drift_buf_cstr(&name));
    else
        sync_folder_of(path, &name);
done:
    drift_buf_fini(&name);
    return status;
}
