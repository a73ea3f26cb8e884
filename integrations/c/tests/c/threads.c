/* Threads, pools and instruction sets: nothing of them changes a result. */
#include "check.h"

#include <pthread.h>

enum { N = 200003 };

/* The words of a mask of N elements in the pool and with the instruction set that the thread has chosen. */
static elision_mask *forward(float *out) {
    static float x[N];
    const size_t shape[] = {N};
    elision_dropout dropout = {.key = elision_key_from_seed(6), .p = 0.1};
    elision_view from = {x, shape, NULL, 1};
    elision_view_mut to = {out, shape, NULL, 1};
    elision_mask *mask = NULL;
    CHECK_OK(elision_mask_new(N, &mask));
    CHECK_OK(elision_dropout_forward(&from, &dropout, &to, mask));
    return mask;
}

static int same(const elision_mask *a, const elision_mask *b) {
    return memcmp(elision_mask_words(a), elision_mask_words(b), (N + 63) / 64 * 8) == 0;
}

/* Draws many masks, and fails in a way of its own. */
static void *work(void *expected) {
    CHECK(strcmp(elision_last_error(), "") == 0);
    float *out = malloc(N * sizeof *out);
    CHECK(out != NULL);
    for (int round = 0; round < 4; round++) {
        elision_mask *mask = forward(out);
        CHECK(same(mask, expected));
        elision_mask_free(mask);
    }
    CHECK_FAILS(elision_use_isa(77), ELISION_ERROR_VALUE, "instruction set 77");
    free(out);
    return NULL;
}

static void two_at_once(elision_mask *expected) {
    CHECK_FAILS(elision_use_isa(55), ELISION_ERROR_VALUE, "instruction set 55");
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, work, expected) == 0);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(strstr(elision_last_error(), "55") != NULL);
}

void test_threads(void) {
    float *out = malloc(N * sizeof *out);
    CHECK(out != NULL);
    elision_mask *expected = forward(out);
    two_at_once(expected);
    for (size_t count = 1; count <= 3; count++) {
        elision_pool *pool = NULL;
        CHECK_OK(elision_pool_new(count, &pool));
        CHECK(elision_pool_threads(pool) == count);
        CHECK_OK(elision_use_pool(pool));
        elision_pool_free(pool); /* it is in use, so its threads go on */
        elision_mask *mask = forward(out);
        CHECK(same(mask, expected));
        elision_mask_free(mask);
    }
    CHECK_OK(elision_use_pool(NULL));
    elision_pool *pool = NULL;
    CHECK_FAILS(elision_pool_new(0, &pool), ELISION_ERROR_VALUE, "threads");
    CHECK_FAILS(elision_pool_new(1, NULL), ELISION_ERROR_NULL, "pool");
    CHECK(pool == NULL && elision_pool_threads(NULL) == 0);
    elision_pool_free(NULL);
    elision_mask_free(expected);
    free(out);
}

void test_isas(void) {
    float *out = malloc(N * sizeof *out);
    CHECK(out != NULL);
    elision_mask *expected = forward(out);
    elision_isa best = -5;
    CHECK_OK(elision_isa_best(&best));
    CHECK(elision_isa_available(best) && elision_isa_name(best) != NULL);
    CHECK(strcmp(elision_isa_name(ELISION_ISA_AVX2), "avx2") == 0);
    CHECK(elision_isa_name(4) == NULL && elision_isa_available(4) == 0 && elision_isa_available(-1) == 0);
    CHECK_FAILS(elision_isa_best(NULL), ELISION_ERROR_NULL, "isa");
    for (elision_isa isa = 0; isa <= ELISION_ISA_AVX512; isa++) {
        if (!elision_isa_available(isa)) {
            printf("%s is ABSENT here\n", elision_isa_name(isa));
            CHECK_FAILS(elision_use_isa(isa), ELISION_ERROR_ISA, elision_isa_name(isa));
            continue;
        }
        CHECK_OK(elision_use_isa(isa));
        elision_mask *mask = forward(out);
        CHECK(same(mask, expected));
        elision_mask_free(mask);
    }
    CHECK_OK(elision_use_isa(ELISION_ISA_BEST));
    elision_mask_free(expected);
    free(out);
}
