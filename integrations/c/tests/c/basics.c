/* Versions, the layout of what both sides share, keys and names. */
#include "check.h"

void test_version(void) {
    CHECK(strcmp(elision_version(), ELISION_VERSION) == 0);
    char built[32];
    sprintf(built, "%d.%d.%d", ELISION_VERSION_MAJOR, ELISION_VERSION_MINOR, ELISION_VERSION_PATCH);
    CHECK(strcmp(built, ELISION_VERSION) == 0);
    CHECK(ELISION_ABI_MATCHES());
    CHECK(strcmp(elision_status_name(ELISION_ERROR_SHAPE), "ELISION_ERROR_SHAPE") == 0);
    CHECK(strcmp(elision_status_name(ELISION_ERROR_INTERNAL), "ELISION_ERROR_INTERNAL") == 0);
    CHECK(strcmp(elision_status_name(99), "unknown status") == 0);
}

/* The numbers are those of tests/header.rs. */
void test_layout(void) {
    if (sizeof(void *) != 8) {
        puts("pointers have not 64 bits: the layout of structs is NOT CHECKED");
        return;
    }
    CHECK(sizeof(elision_key) == 16);
    CHECK(sizeof(elision_dropout) == 40);
    CHECK(offsetof(elision_dropout, p) == 16);
    CHECK(offsetof(elision_dropout, offset) == 24);
    CHECK(offsetof(elision_dropout, form) == 32);
    CHECK(sizeof(elision_view) == 32 && sizeof(elision_view_mut) == 32);
    CHECK(offsetof(elision_view, rank) == 24);
    CHECK(sizeof(elision_shared_dropout) == 56);
    CHECK(offsetof(elision_shared_dropout, noise_rank) == 48);
    CHECK(sizeof(elision_linear) == 40);
    CHECK(offsetof(elision_linear, activation) == 24);
    CHECK(offsetof(elision_linear, dropout) == 32);
    CHECK(sizeof(elision_linear_grads) == 24 && sizeof(elision_linear_output) == 24);
}

static int same(elision_key a, elision_key b) { return a.low == b.low && a.high == b.high; }

void test_keys(void) {
    elision_key run = elision_key_from_seed(7);
    CHECK(same(run, elision_key_from_seed(7)));
    CHECK(!same(run, elision_key_from_seed(8)));
    CHECK(!same(elision_key_fold_in(run, 3), elision_key_fold_in(run, 4)));

    /* A name of two letters: its length, then its letters as a number. */
    elision_key child = {0, 0};
    CHECK_OK(elision_key_named(run, "ab", &child));
    CHECK(same(child, elision_key_fold_in(elision_key_fold_in(run, 2), 'a' + 256 * 'b')));
    elision_key before = child;
    CHECK_FAILS(elision_key_named(run, "\xff", &child), ELISION_ERROR_VALUE, "name");
    CHECK_FAILS(elision_key_named(run, NULL, &child), ELISION_ERROR_NULL, "name");
    CHECK_FAILS(elision_key_named(run, "ab", NULL), ELISION_ERROR_NULL, "child");
    CHECK(same(child, before));
}
