/*
 * Whole files: mapped read-only, or read into memory under a cap, or replaced atomically.
 *
 * A mapping can fault (SIGBUS) when somebody truncates the file under it; callers who keep it for long
 * (models) are told so in the README's operations section.
 */
#ifndef DRIFT_RUNTIME_BASE_FILE_H
#define DRIFT_RUNTIME_BASE_FILE_H

#include "runtime/base/buffer.h"
#include "runtime/base/error.h"

#include <stdint.h>

struct drift_file_map {
    const uint8_t *data; /* NULL when empty or not open */
    uint64_t size_bytes;
};

/* Map a regular file read-only. Errors: NOT_FOUND, IO, UNSUPPORTED (no regular file). Blocks. Thread: any. */
enum drift_status drift_file_map_open(struct drift_file_map *map, const char *path,
                                      struct drift_error *err) DRIFT_MUST_USE;
void drift_file_map_close(struct drift_file_map *map);
/* Tell the kernel that the pages of [offset, offset + n) are not needed soon (they stay in the page cache). */
void drift_file_map_drop(const struct drift_file_map *map, uint64_t offset, uint64_t n);
/* Append a file's contents to out. Errors: NOT_FOUND, IO, LIMIT (out's cap), NO_MEMORY. Blocks. */
enum drift_status drift_file_read(const char *path, struct drift_buf *out,
                                  struct drift_error *err) DRIFT_MUST_USE;
/*
 * Write to a temporary file beside path, fsync, rename: readers see the old or the new contents, whole.
 * A killed process can leave path.<16 hexadecimal digits>.tmp behind, which nobody reads. Blocks. Thread: any.
 */
enum drift_status drift_file_replace(const char *path, const void *data, size_t len,
                                     struct drift_error *err) DRIFT_MUST_USE;

#endif
