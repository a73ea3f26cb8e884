/* Calls that must be refused, and that change nothing. */
#include "check.h"

static float x[12], y[24];
static const size_t shape[] = {3, 4};
static const elision_dropout good = {.p = 0.5};
static const elision_view in = {x, shape, NULL, 2};
static const elision_view_mut out = {y, shape, NULL, 2};

static void refused_inputs(void) {
    elision_view view = in;
    CHECK_FAILS(elision_dropout_forward(NULL, &good, &out, NULL), ELISION_ERROR_NULL, "x");
    view.data = NULL;
    CHECK_FAILS(elision_dropout_forward(&view, &good, &out, NULL), ELISION_ERROR_NULL, "data of x");
    view = in;
    view.shape = NULL;
    CHECK_FAILS(elision_dropout_forward(&view, &good, &out, NULL), ELISION_ERROR_NULL, "shape of x");
    view = in;
    view.rank = 9;
    CHECK_FAILS(elision_dropout_forward(&view, &good, &out, NULL), ELISION_ERROR_SHAPE, "rank 9");
    view = in;
    view.rank = 1;
    CHECK_FAILS(elision_dropout_forward(&view, &good, &out, NULL), ELISION_ERROR_SHAPE, "found 3x4");
    view = in;
    view.data = (const float *)(const void *)((const char *)x + 1);
    CHECK_FAILS(elision_dropout_forward(&view, &good, &out, NULL), ELISION_ERROR_LAYOUT, "aligned");
    const ptrdiff_t backwards[] = {-4, 1};
    view = in;
    view.strides = backwards;
    CHECK_FAILS(elision_dropout_forward(&view, &good, &out, NULL), ELISION_ERROR_LAYOUT, "stride -4 of axis 0");
    const ptrdiff_t far[] = {PTRDIFF_MAX, 1};
    view.strides = far;
    CHECK_FAILS(elision_dropout_forward(&view, &good, &out, NULL), ELISION_ERROR_OVERFLOW, "x");
    const size_t vast[] = {SIZE_MAX, 4}, large[] = {SIZE_MAX / 2, 1};
    const ptrdiff_t repeated[] = {0, 0};
    view = in;
    view.shape = vast;
    CHECK_FAILS(elision_dropout_forward(&view, &good, &out, NULL), ELISION_ERROR_OVERFLOW, "x");
    view.shape = large;
    view.strides = repeated;
    CHECK_FAILS(elision_dropout_forward(&view, &good, &out, NULL), ELISION_ERROR_OVERFLOW, "x");
}

static void refused_outputs(void) {
    elision_view_mut view = out;
    CHECK_FAILS(elision_dropout_forward(&in, &good, NULL, NULL), ELISION_ERROR_NULL, "out");
    view.data = NULL;
    CHECK_FAILS(elision_dropout_forward(&in, &good, &view, NULL), ELISION_ERROR_NULL, "data of out");
    const ptrdiff_t meeting[] = {1, 1};
    view = out;
    view.strides = meeting;
    CHECK_FAILS(elision_dropout_forward(&in, &good, &view, NULL), ELISION_ERROR_LAYOUT, "out: two indices");
    const size_t turned[] = {4, 3};
    view = out;
    view.shape = turned;
    CHECK_FAILS(elision_dropout_forward(&in, &good, &view, NULL), ELISION_ERROR_SHAPE, "found 4x3");
    elision_view number = {x, NULL, NULL, 0};
    CHECK_FAILS(elision_dropout_inference(&number, &good, &out), ELISION_ERROR_SHAPE, "found 3x4");

    /* Overlap by one element, between the elements of rows, and in another layout. */
    elision_view near_end = {y + 11, shape, NULL, 2};
    CHECK_FAILS(elision_dropout_forward(&near_end, &good, &out, NULL), ELISION_ERROR_OVERLAP, "that of x");
    const ptrdiff_t even[] = {8, 2};
    elision_view evens = {y, shape, even, 2};
    elision_view_mut odds = {y + 1, shape, even, 2};
    CHECK_FAILS(elision_dropout_forward(&evens, &good, &odds, NULL), ELISION_ERROR_OVERLAP, "out");
    elision_view same = {y, shape, NULL, 2};
    odds.data = y;
    CHECK_FAILS(elision_dropout_backward(&same, &good, NULL, &odds), ELISION_ERROR_OVERLAP, "that of g");
    /* Neighbours do not overlap. */
    elision_view second = {y + 12, shape, NULL, 2};
    CHECK_OK(elision_dropout_inference(&second, &good, &out));
}

static void refused_dropouts(void) {
    const double wrong[] = {-0.1, 1.5, (double)1e300 * 1e300, -(double)1e300 * 1e300};
    elision_dropout dropout = good;
    float scale = 3.0f;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        dropout.p = wrong[i];
        CHECK_FAILS(elision_dropout_forward(&in, &dropout, &out, NULL), ELISION_ERROR_VALUE, "outside [0, 1]");
    }
    memset(&dropout.p, 255, sizeof dropout.p); /* NaN */
    CHECK_FAILS(elision_dropout_scale(&dropout, &scale), ELISION_ERROR_VALUE, "dropout");
    dropout = good;
    dropout.form = 2;
    CHECK_FAILS(elision_dropout_backward(&in, &dropout, NULL, &out), ELISION_ERROR_VALUE, "form 2");
    dropout = good;
    dropout.offset = UINT64_MAX - 5;
    CHECK_FAILS(elision_dropout_forward(&in, &dropout, &out, NULL), ELISION_ERROR_OVERFLOW, "offset");
    CHECK_FAILS(elision_dropout_forward(&in, NULL, &out, NULL), ELISION_ERROR_NULL, "dropout");
    CHECK_FAILS(elision_dropout_scale(&good, NULL), ELISION_ERROR_NULL, "scale");
    CHECK(scale == 3.0f);
}

static void refused_masks(void) {
    elision_mask *mask = NULL, *none = NULL;
    CHECK_OK(elision_mask_draw(&good, 13, &mask));
    size_t kept = elision_mask_count_kept(mask);
    CHECK_FAILS(elision_dropout_forward(&in, &good, &out, mask), ELISION_ERROR_LENGTH, "expected length 12, found 13");
    CHECK_FAILS(elision_dropout_backward(&in, &good, mask, &out), ELISION_ERROR_LENGTH, "mask");
    CHECK(elision_mask_count_kept(mask) == kept);
    uint8_t bytes[13];
    uint64_t words[2] = {0, 0};
    CHECK_FAILS(elision_mask_to_bools(mask, bytes, 12), ELISION_ERROR_LENGTH, "kept");
    CHECK_FAILS(elision_mask_to_bytes(mask, bytes, 3), ELISION_ERROR_LENGTH, "bytes");
    CHECK_FAILS(elision_mask_to_bytes(mask, NULL, 2), ELISION_ERROR_NULL, "bytes");
    CHECK_FAILS(elision_mask_from_words(words, 2, 13, &none), ELISION_ERROR_LENGTH, "words");
    CHECK_FAILS(elision_mask_from_bools(NULL, 13, &none), ELISION_ERROR_NULL, "kept");
    CHECK_FAILS(elision_mask_draw(&good, 13, NULL), ELISION_ERROR_NULL, "mask");
    CHECK_FAILS(elision_mask_draw(&good, SIZE_MAX, &none), ELISION_ERROR_OVERFLOW, "mask");
    CHECK_FAILS(elision_mask_new(SIZE_MAX / 2, &none), ELISION_ERROR_OVERFLOW, "mask");
    CHECK_FAILS(elision_mask_redraw(NULL, &good), ELISION_ERROR_NULL, "mask");
    CHECK(none == NULL);
    elision_mask_free(mask);
}

void test_faults(void) {
    for (int i = 0; i < 12; i++) x[i] = 1.0f;
    for (int i = 0; i < 24; i++) y[i] = 7.0f;
    refused_inputs();
    refused_outputs();
    refused_dropouts();
    refused_masks();
    for (int i = 0; i < 24; i++) CHECK(y[i] == 7.0f);
}
