/* A few words for tests. A check that fails says where and ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <elision.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);               \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

/* The call must end so. */
#define CHECK_STATUS(call, expected)                                                      \
    do {                                                                                  \
        elision_status found_ = (call);                                                   \
        if (found_ != (expected)) {                                                       \
            fprintf(stderr, "%s:%d: %s gave %s (%s)\n", __FILE__, __LINE__, #call,        \
                    elision_status_name(found_), elision_last_error());                   \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

#define CHECK_OK(call) CHECK_STATUS(call, ELISION_OK)

/* The call must fail so, with these words in its message. */
#define CHECK_FAILS(call, expected, words)                                                \
    do {                                                                                  \
        CHECK_STATUS(call, expected);                                                     \
        if (strstr(elision_last_error(), words) == NULL) {                                \
            fprintf(stderr, "%s:%d: no \"%s\" in: %s\n", __FILE__, __LINE__, words,       \
                    elision_last_error());                                                \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

/* The bits of two floats must agree: +0 is not -0. */
static inline int same_bits(float a, float b) { return memcmp(&a, &b, sizeof a) == 0; }

/* Different numbers in (-1, 1). */
static inline void fill(float *x, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)(i + 1) * (0x9e3779b9u ^ seed << 7);
        x[i] = (float)(bits >> 8) / 8388608.0f - 1.0f;
    }
}

void test_version(void);
void test_layout(void);
void test_keys(void);
void test_masks(void);
void test_golden(const char *path);
void test_dropout(void);
void test_strides(void);
void test_shared(void);
void test_linear(void);
void test_faults(void);
void test_threads(void);
void test_isas(void);

#endif
