/* Values of the configuration by type: from text, to text, equality, and what is allowed. For
 * config/ only. */
#ifndef DRIFT_CONFIG_VALUE_H
#define DRIFT_CONFIG_VALUE_H

#include "config/build.h"

/* base is the struct that key->offset counts from: struct drift_config or struct
 * drift_config_model. */
typedef bool (*drift_config_value_parse_fn)(struct drift_config_build *build,
                                            const struct drift_config_key *key, void *base,
                                            const char *text);
typedef void (*drift_config_value_reset_fn)(struct drift_config *config);
typedef void (*drift_config_value_format_fn)(const struct drift_config_key *key, const void *base,
                                             size_t i, struct drift_buf *out);
typedef bool (*drift_config_value_equal_fn)(const struct drift_config_key *key, const void *a,
                                            const void *b);
typedef void (*drift_config_value_allowed_fn)(const struct drift_config_key *key,
                                              struct drift_buf *out);
typedef size_t (*drift_config_value_count_fn)(const struct drift_config *config);

struct drift_config_value_ops {
    /* Set the field, or append to the list; false: not allowed, or the arena failed. */
    drift_config_value_parse_fn parse;
    /* Append the value as it would be written in the file (entry i of a list); nothing when unset.
     */
    drift_config_value_format_fn format;
    drift_config_value_equal_fn equal;
    /* Append a phrase to follow "allowed: ". */
    drift_config_value_allowed_fn allowed;
    /* Lists only, otherwise NULL: forget the entries; count them. */
    drift_config_value_reset_fn reset;
    drift_config_value_count_fn count;
};

const struct drift_config_value_ops *drift_config_value_ops(enum drift_config_type type);

/* The longest unit in which a number is whole: 16MiB, 1500ms, 2min. */
void drift_config_format_bytes(uint64_t bytes, struct drift_buf *out);
void drift_config_format_time(uint64_t ms, struct drift_buf *out);
/* 1 to 127 bytes of A-Z a-z 0-9 . _ : / - */
bool drift_config_name_is_valid(const char *name);

/* listen.c, origins.c: the two lists. */
extern const struct drift_config_value_ops drift_config_listen_ops;
extern const struct drift_config_value_ops drift_config_origins_ops;

#endif
