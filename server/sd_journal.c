/* JOURNAL_STREAM holds "device:inode" of the stream that systemd connected; a redirected stderr
 * differs. */
#include "server/sd.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool drift_sd_stderr_is_journal(const char *journal_stream)
{
    struct stat file;
    char own[64];
    if (!journal_stream || fstat(STDERR_FILENO, &file) < 0)
        return false;
    snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)file.st_dev,
             (unsigned long long)file.st_ino);
    return strcmp(own, journal_stream) == 0;
}
