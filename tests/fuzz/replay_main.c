/*
 * Runs a fuzz target on files, or on all files of folders, without libFuzzer.
 *
 * --mutations=N also runs N changed copies of every file. The changes come from a generator with a
 * fixed seed, so a failure repeats; on a crash the input is left in the file that the last line on
 * stderr names.
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SEED_BYTES (1u << 20)
#define MAX_GROWTH     16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
/* Of the sanitizers' run time, where there is one: they end the process without a signal. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static uint8_t input[MAX_SEED_BYTES + MAX_GROWTH];
static size_t input_len;
static uint64_t random_state = 0x9E3779B97F4A7C15u;
static unsigned n_files, n_runs;

static void save_input(void)
{
    char path[] = "/tmp/drift-fuzz-XXXXXX";
    int fd = mkstemp(path);
    if (fd >= 0 && write(fd, input, input_len) >= 0)
        dprintf(STDERR_FILENO, "the input is in %s\n", path);
}

static void on_crash(int signum)
{
    save_input();
    signal(signum, SIG_DFL);
    raise(signum);
}

static uint32_t random_below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * n >> 32);
}

/* Targets get a block of exactly len bytes, so that a sanitizer sees the first byte read too many.
 */
static void run(void)
{
    uint8_t *exact = malloc(input_len ? input_len : 1);
    if (!exact)
        abort();
    memcpy(exact, input, input_len);
    (void)LLVMFuzzerTestOneInput(exact, input_len);
    free(exact);
    n_runs++;
}

static void mutate_once(void)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, '"', '\\', '{', '[', '%', '\n'};
    uint32_t len = (uint32_t)input_len, at = len ? random_below(len) : 0;
    switch (random_below(6)) {
    case 0: /* flip a bit */
        if (len)
            input[at] = (uint8_t)(input[at] ^ 1u << random_below(8));
        break;
    case 1: /* a byte at an edge */
        if (len)
            input[at] = edges[random_below(sizeof edges)];
        break;
    case 2: /* cut the end */
        input_len = at;
        break;
    case 3: { /* remove some */
        uint32_t n = len ? 1 + random_below(len - at < 8 ? len - at : 8) : 0;
        memmove(input + at, input + at + n, len - at - n);
        input_len -= n;
        break;
    }
    case 4: /* insert one */
        if (input_len < sizeof input) {
            memmove(input + at + 1, input + at, len - at);
            input[at] = edges[random_below(sizeof edges)];
            input_len++;
        }
        break;
    default: { /* copy a piece over another */
        uint32_t n = len ? 1 + random_below(len - at < 16 ? len - at : 16) : 0;
        if (n)
            memmove(input + random_below(len - n + 1), input + at, n);
        break;
    }
    }
}

static int run_file(const char *path, unsigned n_mutations)
{
    static uint8_t seed[MAX_SEED_BYTES];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return 1;
    }
    size_t len = fread(seed, 1, sizeof seed, f);
    fclose(f);
    n_files++;
    for (unsigned i = 0; i <= n_mutations; i++) {
        memcpy(input, seed, len);
        input_len = len;
        for (uint32_t n = i ? 1 + random_below(4) : 0; n > 0; n--)
            mutate_once();
        run();
    }
    return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int run_path(const char *path, unsigned n_mutations)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return run_file(path, n_mutations);
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, by_name), failed = n < 0;
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            failed |= run_path(file, n_mutations);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return failed;
}

int main(int argc, char **argv)
{
    unsigned n_mutations = 0;
    int failed = 0;
    signal(SIGABRT, on_crash);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(save_input);
    else
        signal(SIGSEGV, on_crash);
    for (int i = 1; i < argc; i++) {
        if (sscanf(argv[i], "--mutations=%u", &n_mutations) == 1)
            continue;
        failed |= run_path(argv[i], n_mutations);
    }
    printf("%u files, %u runs\n", n_files, n_runs);
    return failed || n_files == 0;
}
