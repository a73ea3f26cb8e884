/* Masks, and the digests that Rust's tests share. */
#include "check.h"

void test_masks(void) {
    elision_dropout dropout = {.key = elision_key_from_seed(5), .p = 0.3};
    elision_mask *mask = NULL, *copy = NULL;
    CHECK_OK(elision_mask_draw(&dropout, 1000, &mask));
    CHECK(elision_mask_length(mask) == 1000);
    uint8_t kept[1000], bytes[125];
    CHECK_OK(elision_mask_to_bools(mask, kept, 1000));
    CHECK_OK(elision_mask_to_bytes(mask, bytes, 125));
    const uint64_t *words = elision_mask_words(mask);
    size_t count = 0;
    for (size_t i = 0; i < 1000; i++) {
        int expected = (int)(words[i / 64] >> (i % 64) & 1);
        CHECK(kept[i] == expected && elision_mask_get(mask, i) == expected);
        CHECK((bytes[i / 8] >> (i % 8) & 1) == expected);
        count += kept[i];
    }
    CHECK(count == elision_mask_count_kept(mask) && count > 600 && count < 800);
    CHECK(words[15] >> 40 == 0);
    CHECK(elision_mask_get(mask, 1000) == -1 && elision_mask_get(NULL, 0) == -1);

    kept[0] = kept[0] ? 200 : 0; /* anything but zero is kept */
    CHECK_OK(elision_mask_from_bools(kept, 1000, &copy));
    CHECK(memcmp(elision_mask_words(copy), words, 16 * 8) == 0);
    elision_mask_free(copy);
    uint64_t dirty[16];
    memcpy(dirty, words, sizeof dirty);
    dirty[15] |= ~UINT64_C(0) << 40;
    CHECK_OK(elision_mask_from_words(dirty, 16, 1000, &copy));
    CHECK(memcmp(elision_mask_words(copy), words, 16 * 8) == 0);

    /* Drawing anew forgets what was there, and comes back. */
    elision_dropout other = dropout;
    other.p = 0.9;
    CHECK_OK(elision_mask_redraw(copy, &other));
    CHECK(elision_mask_count_kept(copy) < 200);
    CHECK_OK(elision_mask_redraw(copy, &dropout));
    CHECK(memcmp(elision_mask_words(copy), words, 16 * 8) == 0);

    /* A piece is a slice of the whole. */
    other = dropout;
    other.offset = 64;
    elision_mask_free(copy);
    CHECK_OK(elision_mask_draw(&other, 64, &copy));
    CHECK(elision_mask_words(copy)[0] == words[1]);
    elision_mask_free(copy);

    CHECK_OK(elision_mask_new(70, &copy));
    CHECK(elision_mask_length(copy) == 70 && elision_mask_count_kept(copy) == 0);
    elision_mask_free(copy);
    CHECK_OK(elision_mask_from_bools(NULL, 0, &copy));
    CHECK_OK(elision_mask_to_bools(copy, NULL, 0));
    CHECK(elision_mask_length(copy) == 0);
    elision_mask_free(copy);
    elision_mask_free(mask);
    elision_mask_free(NULL);
    CHECK(elision_mask_length(NULL) == 0 && elision_mask_count_kept(NULL) == 0);
    CHECK(elision_mask_words(NULL) == NULL);
}

/* 64-bit FNV-1a. */
static uint64_t digest(const uint8_t *bytes, size_t count) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The digest of the mask that a line describes: seed folds p offset n digest. */
static void check_line(const char *line) {
    char folds[100], p[40];
    unsigned long long seed, offset, length, expected;
    CHECK(sscanf(line, "%llu %99s %39s %llu %llu %llx", &seed, folds, p, &offset, &length, &expected) == 6);
    elision_dropout dropout = {.key = elision_key_from_seed(seed), .p = strtod(p, NULL), .offset = offset};
    for (char *word = strtok(folds, ","); word && *word != '-'; word = strtok(NULL, ",")) {
        dropout.key = elision_key_fold_in(dropout.key, strtoull(word, NULL, 10));
    }
    elision_mask *mask = NULL;
    CHECK_OK(elision_mask_draw(&dropout, (size_t)length, &mask));
    size_t count = (size_t)(length + 7) / 8;
    uint8_t *bytes = malloc(count + 1);
    CHECK(bytes != NULL);
    CHECK_OK(elision_mask_to_bytes(mask, bytes, count));
    if (digest(bytes, count) != expected) {
        fprintf(stderr, "another mask: %s", line);
        exit(1);
    }
    free(bytes);
    elision_mask_free(mask);
}

void test_golden(const char *path) {
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    char line[300];
    int lines = 0;
    while (fgets(line, sizeof line, file)) {
        if (*line == '#') continue;
        check_line(line);
        lines++;
    }
    fclose(file);
    CHECK(lines >= 40);
    printf("%d golden masks\n", lines);
}
