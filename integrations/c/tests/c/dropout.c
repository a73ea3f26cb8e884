/* Dropout of elements, in any layout, and of groups. */
#include "check.h"

#include <math.h>

/* y must be x * scale where the mask keeps, and +0 elsewhere. */
static void check_selected(const float *y, const float *x, size_t n, float scale, const elision_mask *mask) {
    for (size_t i = 0; i < n; i++) {
        CHECK(same_bits(y[i], elision_mask_get(mask, i) ? x[i] * scale : 0.0f));
    }
}

void test_dropout(void) {
    enum { N = 5000 };
    static float x[N], y[N], z[N];
    fill(x, N, 1);
    x[7] = INFINITY;
    x[8] = -0.0f;
    const size_t shape[] = {50, 100};
    elision_dropout dropout = {.key = elision_key_from_seed(3), .p = 0.4, .offset = 11};
    elision_view in = {x, shape, NULL, 2};
    elision_view_mut out = {y, shape, NULL, 2};
    elision_mask *mask = NULL, *drawn = NULL;
    CHECK_OK(elision_mask_new(N, &mask));
    CHECK_OK(elision_mask_draw(&dropout, N, &drawn));
    float scale = 0.0f;
    CHECK_OK(elision_dropout_scale(&dropout, &scale));
    CHECK(scale == (float)(1.0 / (1.0 - 0.4)));

    CHECK_OK(elision_dropout_forward(&in, &dropout, &out, mask));
    CHECK(memcmp(elision_mask_words(mask), elision_mask_words(drawn), N / 8) == 0);
    check_selected(y, x, N, scale, mask);

    /* Without a mask, in place, and the gradient with and without a mask: the same. */
    memset(z, 255, sizeof z);
    elision_view_mut second = {z, shape, NULL, 2};
    CHECK_OK(elision_dropout_forward(&in, &dropout, &second, NULL));
    CHECK(memcmp(y, z, sizeof y) == 0);
    memcpy(z, x, sizeof z);
    elision_view same = {z, shape, NULL, 2};
    CHECK_OK(elision_dropout_forward(&same, &dropout, &second, NULL));
    CHECK(memcmp(y, z, sizeof y) == 0);
    CHECK_OK(elision_dropout_backward(&in, &dropout, mask, &second));
    CHECK(memcmp(y, z, sizeof y) == 0);
    memcpy(z, x, sizeof z);
    CHECK_OK(elision_dropout_backward(&same, &dropout, NULL, &second));
    CHECK(memcmp(y, z, sizeof y) == 0);

    /* Inference: nothing, or a factor. */
    CHECK_OK(elision_dropout_inference(&in, &dropout, &second));
    CHECK(memcmp(x, z, sizeof x) == 0);
    dropout.form = ELISION_FORM_ORIGINAL;
    CHECK_OK(elision_dropout_inference(&same, &dropout, &second));
    CHECK(same_bits(z[0], x[0] * (float)(1.0 - 0.4)));
    CHECK_OK(elision_dropout_forward(&in, &dropout, &out, NULL));
    check_selected(y, x, N, 1.0f, mask);

    dropout.p = 1.0;
    CHECK_OK(elision_dropout_forward(&in, &dropout, &out, mask));
    CHECK(elision_mask_count_kept(mask) == 0 && same_bits(y[7], 0.0f) && same_bits(y[8], 0.0f));
    elision_mask_free(mask);
    elision_mask_free(drawn);
}

void test_strides(void) {
    /* A transposed input and an output with gaps have the bits of their row-major copies. */
    float x[12], y[40];
    fill(x, 12, 2);
    for (int i = 0; i < 40; i++) y[i] = 9.0f;
    const size_t shape[] = {3, 4};
    const ptrdiff_t turned[] = {1, 3}, wide[] = {10, 2};
    elision_dropout dropout = {.key = elision_key_from_seed(1), .p = 0.5};
    elision_view in = {x, shape, turned, 2};
    elision_view_mut out = {y, shape, wide, 2};
    elision_mask *mask = NULL;
    CHECK_OK(elision_mask_new(12, &mask));
    CHECK_OK(elision_dropout_forward(&in, &dropout, &out, mask));
    int written = 0;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 4; j++) {
            float expected = elision_mask_get(mask, (size_t)(4 * i + j)) ? 2.0f * x[i + 3 * j] : 0.0f;
            CHECK(same_bits(y[10 * i + 2 * j], expected));
        }
    }
    for (int i = 0; i < 40; i++) written += y[i] != 9.0f;
    CHECK(written == 12);

    /* In place with gaps. */
    elision_view same = {y, shape, wide, 2};
    CHECK_OK(elision_dropout_backward(&same, &dropout, mask, &out));
    CHECK(same_bits(y[10], elision_mask_get(mask, 4) ? 4.0f * x[1] : 0.0f) && y[1] == 9.0f);

    /* One number, repeated, and one number alone. */
    const ptrdiff_t repeated[] = {0, 0};
    elision_view one = {x, shape, repeated, 2};
    elision_view_mut whole = {y, shape, NULL, 2};
    CHECK_OK(elision_dropout_forward(&one, &dropout, &whole, NULL));
    for (size_t i = 0; i < 12; i++) CHECK(same_bits(y[i], elision_mask_get(mask, i) ? 2.0f * x[0] : 0.0f));
    elision_view scalar = {x, NULL, NULL, 0};
    elision_view_mut target = {y, NULL, NULL, 0};
    CHECK_OK(elision_dropout_inference(&scalar, &dropout, &target));
    CHECK(y[0] == x[0]);

    /* Nothing at all. */
    const size_t none[] = {3, 0};
    elision_view empty = {NULL, none, NULL, 2};
    elision_view_mut nowhere = {NULL, none, NULL, 2};
    CHECK_OK(elision_dropout_forward(&empty, &dropout, &nowhere, NULL));
    elision_mask_free(mask);
}

void test_shared(void) {
    enum { SAMPLES = 6, PIXELS = 10, CHANNELS = 8, N = SAMPLES * PIXELS * CHANNELS };
    static float x[N], y[N], z[N];
    fill(x, N, 3);
    const size_t shape[] = {SAMPLES, PIXELS, CHANNELS};
    size_t noise[3];
    CHECK_OK(elision_noise_shape(ELISION_WHERE_CHANNEL_LAST, shape, 3, noise));
    CHECK(noise[0] == SAMPLES && noise[1] == 1 && noise[2] == CHANNELS);

    elision_shared_dropout dropout = {{.key = elision_key_from_seed(9), .p = 0.5}, noise, 3};
    elision_view in = {x, shape, NULL, 3};
    elision_view_mut out = {y, shape, NULL, 3}, second = {z, shape, NULL, 3};
    elision_mask *mask = NULL, *drawn = NULL;
    CHECK_OK(elision_mask_new(SAMPLES * CHANNELS, &mask));
    CHECK_OK(elision_mask_draw(&dropout.dropout, SAMPLES * CHANNELS, &drawn));
    CHECK_OK(elision_shared_dropout_forward(&in, &dropout, &out, mask));
    CHECK(elision_mask_words(mask)[0] == elision_mask_words(drawn)[0]);
    for (size_t i = 0; i < N; i++) {
        size_t group = i / (PIXELS * CHANNELS) * CHANNELS + i % CHANNELS;
        CHECK(same_bits(y[i], elision_mask_get(mask, group) ? 2.0f * x[i] : 0.0f));
    }
    CHECK_OK(elision_shared_dropout_forward(&in, &dropout, &second, NULL));
    CHECK(memcmp(y, z, sizeof y) == 0);
    memset(z, 255, sizeof z);
    CHECK_OK(elision_shared_dropout_backward(&in, &dropout, mask, &second));
    CHECK(memcmp(y, z, sizeof y) == 0);
    memset(z, 255, sizeof z);
    CHECK_OK(elision_shared_dropout_backward(&in, &dropout, NULL, &second));
    CHECK(memcmp(y, z, sizeof y) == 0);
    elision_mask_free(mask);
    elision_mask_free(drawn);

    CHECK_OK(elision_noise_shape(ELISION_WHERE_SAMPLE, shape, 3, noise));
    CHECK(noise[0] == SAMPLES && noise[1] == 1 && noise[2] == 1);
    CHECK_FAILS(elision_noise_shape(6, shape, 3, noise), ELISION_ERROR_VALUE, "place");
    CHECK_FAILS(elision_noise_shape(ELISION_WHERE_ROW, shape, 0, noise), ELISION_ERROR_SHAPE, "shape");
    dropout.noise_rank = 2;
    CHECK_FAILS(elision_shared_dropout_forward(&in, &dropout, &out, NULL), ELISION_ERROR_SHAPE, "broadcast");
    elision_view_mut itself = {x, shape, NULL, 3};
    dropout.noise_rank = 3;
    CHECK_FAILS(elision_shared_dropout_forward(&in, &dropout, &itself, NULL), ELISION_ERROR_OVERLAP, "out");
}
