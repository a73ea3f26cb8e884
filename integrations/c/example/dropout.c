/* Dropout of a small batch, its mask, and its gradient without the mask. */
#include <elision.h>
#include <stdio.h>

int main(void) {
    if (!ELISION_ABI_MATCHES()) {
        fprintf(stderr, "compiled for another elision than %s\n", elision_version());
        return 1;
    }
    float x[60], y[60], gradient[60];
    for (int i = 0; i < 60; i++) x[i] = 1.0f;
    const size_t shape[] = {6, 10};
    elision_view in = {x, shape, NULL, 2};
    elision_view_mut out = {y, shape, NULL, 2}, back = {gradient, shape, NULL, 2};

    /* Seed 42, layer 7: the same elements are dropped wherever this runs. */
    elision_dropout dropout = {.key = elision_key_fold_in(elision_key_from_seed(42), 7), .p = 0.25};
    elision_mask *mask = NULL;
    if (elision_mask_new(60, &mask) != ELISION_OK ||
        elision_dropout_forward(&in, &dropout, &out, mask) != ELISION_OK ||
        elision_dropout_backward(&in, &dropout, NULL, &back) != ELISION_OK) {
        fprintf(stderr, "%s\n", elision_last_error());
        elision_mask_free(mask);
        return 1;
    }
    for (size_t i = 0; i < 60; i++) printf("%c%s", elision_mask_get(mask, i) ? '#' : '.', i % 10 == 9 ? "\n" : "");
    printf("%zu of %zu kept, times %.4f\n", elision_mask_count_kept(mask), elision_mask_length(mask), 4.0 / 3.0);
    elision_mask_free(mask);
    return 0;
}
