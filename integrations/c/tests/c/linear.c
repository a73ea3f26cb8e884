/* The fused layer against loops in double. */
#include "check.h"

#include <math.h>

enum { M = 9, K = 21, UNITS = 16, OUT = M * UNITS };

static float x[M * K], w[UNITS * K], bias[UNITS], y[OUT], g[OUT];
static float dx[M * K], dw[UNITS * K], db[UNITS];
static const size_t x_shape[] = {M, K}, w_shape[] = {UNITS, K}, y_shape[] = {M, UNITS}, b_shape[] = {UNITS};
static const elision_view x_view = {x, x_shape, NULL, 2}, w_view = {w, w_shape, NULL, 2};
static const elision_view b_view = {bias, b_shape, NULL, 1}, g_view = {g, y_shape, NULL, 2};
static const elision_view y_view = {y, y_shape, NULL, 2};
static const elision_view_mut y_out = {y, y_shape, NULL, 2}, dx_out = {dx, x_shape, NULL, 2};
static const elision_view_mut dw_out = {dw, w_shape, NULL, 2}, db_out = {db, b_shape, NULL, 1};
static const elision_linear_grads all_grads = {&dx_out, &dw_out, &db_out};

static int near(float found, double expected) { return fabs(found - expected) <= 1e-4 * (1.0 + fabs(expected)); }

static double sum_at(int i, int j) {
    double sum = bias[j];
    for (int l = 0; l < K; l++) sum += (double)x[i * K + l] * w[j * K + l];
    return sum;
}

/* An activation and its derivative. */
static double value_at(int32_t activation, double s) {
    switch (activation) {
    case ELISION_ACTIVATION_RELU: return s > 0 ? s : 0;
    case ELISION_ACTIVATION_GELU_TANH: return 0.5 * s * (1 + tanh(0.7978845608028654 * (s + 0.044715 * s * s * s)));
    case ELISION_ACTIVATION_GELU_ERF: return 0.5 * s * (1 + erf(s / sqrt(2)));
    case ELISION_ACTIVATION_TANH: return tanh(s);
    case ELISION_ACTIVATION_SIGMOID: return 1 / (1 + exp(-s));
    default: return s;
    }
}

static double slope_at(int32_t activation, double s) {
    if (activation == ELISION_ACTIVATION_RELU) return s > 0;
    return (value_at(activation, s + 1e-6) - value_at(activation, s - 1e-6)) / 2e-6;
}

/* The gradient before the activation. */
static double dz_at(int32_t activation, const elision_mask *mask, float scale, int i, int j) {
    if (!elision_mask_get(mask, (size_t)(i * UNITS + j))) return 0;
    return g[i * UNITS + j] * scale * slope_at(activation, sum_at(i, j));
}

static void check_gradients(int32_t activation, const elision_mask *mask, float scale) {
    for (int i = 0; i < M; i++) {
        for (int l = 0; l < K; l++) {
            double sum = 0;
            for (int j = 0; j < UNITS; j++) sum += dz_at(activation, mask, scale, i, j) * w[j * K + l];
            CHECK(near(dx[i * K + l], sum));
        }
    }
    for (int j = 0; j < UNITS; j++) {
        double bias_sum = 0;
        for (int i = 0; i < M; i++) bias_sum += dz_at(activation, mask, scale, i, j);
        CHECK(near(db[j], bias_sum));
        for (int l = 0; l < K; l++) {
            double sum = 0;
            for (int i = 0; i < M; i++) sum += dz_at(activation, mask, scale, i, j) * x[i * K + l];
            CHECK(near(dw[j * K + l], sum));
        }
    }
}

static void check_layer(int32_t activation, int recompute) {
    elision_dropout dropout = {.key = elision_key_from_seed(4), .p = 0.25};
    elision_linear layer = {&x_view, &w_view, &b_view, activation, &dropout};
    elision_saved *saved = NULL;
    elision_mask *mask = NULL;
    float scale = 0;
    CHECK_OK(elision_dropout_scale(&dropout, &scale));
    CHECK_OK(elision_mask_draw(&dropout, OUT, &mask));
    CHECK_OK(elision_saved_new(recompute, &saved));
    CHECK_OK(elision_linear_forward(&layer, &y_out, saved));
    for (int i = 0; i < OUT; i++) {
        int kept = elision_mask_get(mask, (size_t)i);
        double expected = scale * value_at(activation, sum_at(i / UNITS, i % UNITS));
        CHECK(kept ? near(y[i], expected) : same_bits(y[i], 0.0f));
    }
    int smooth = activation > ELISION_ACTIVATION_RELU;
    size_t bits = recompute ? 0 : (OUT + 63) / 64 * 8, sums = smooth ? 4 * OUT : 0;
    CHECK(elision_saved_bytes(saved) == bits + sums);

    memset(dx, 255, sizeof dx);
    elision_linear_output output = {&g_view, saved, recompute ? &y_view : NULL};
    CHECK_OK(elision_linear_backward(&layer, &output, &all_grads));
    check_gradients(activation, mask, scale);

    /* Some gradients only. */
    float before = dx[0], wanted = db[0];
    memset(db, 255, sizeof db);
    elision_linear_grads one = {NULL, NULL, &db_out};
    CHECK_OK(elision_linear_backward(&layer, &output, &one));
    CHECK(same_bits(dx[0], before) && same_bits(db[0], wanted));
    elision_saved_free(saved);
    elision_mask_free(mask);
}

static void check_faults(void) {
    elision_dropout dropout = {.key = elision_key_from_seed(4), .p = 0.25};
    elision_linear layer = {&x_view, &w_view, &b_view, ELISION_ACTIVATION_RELU, &dropout};
    elision_saved *fresh = NULL, *recomputing = NULL;
    CHECK_OK(elision_saved_new(0, &fresh));
    CHECK_OK(elision_saved_new(1, &recomputing));
    elision_linear_output output = {&g_view, fresh, NULL};
    for (int i = 0; i < OUT; i++) y[i] = 9.0f;
    memset(dx, 0, sizeof dx);

    CHECK_FAILS(elision_linear_backward(&layer, &output, &all_grads), ELISION_ERROR_LENGTH, "saved");
    output.saved = recomputing;
    CHECK_FAILS(elision_linear_backward(&layer, &output, &all_grads), ELISION_ERROR_UNSUPPORTED, "output");
    output.saved = NULL;
    CHECK_FAILS(elision_linear_backward(&layer, &output, &all_grads), ELISION_ERROR_NULL, "saved");

    elision_linear_grads twice = {&dx_out, &dx_out, NULL};
    output.saved = fresh;
    CHECK_FAILS(elision_linear_backward(&layer, &output, &twice), ELISION_ERROR_OVERLAP, "gradient of");
    elision_view_mut onto_w = {w, w_shape, NULL, 2};
    elision_linear_grads onto = {NULL, &onto_w, NULL};
    CHECK_FAILS(elision_linear_backward(&layer, &output, &onto), ELISION_ERROR_OVERLAP, "that of w");

    elision_linear wrong = layer;
    wrong.activation = 17;
    CHECK_FAILS(elision_linear_forward(&wrong, &y_out, fresh), ELISION_ERROR_VALUE, "activation");
    wrong = layer;
    wrong.bias = &x_view;
    CHECK_FAILS(elision_linear_forward(&wrong, &y_out, fresh), ELISION_ERROR_SHAPE, "bias");
    wrong.bias = NULL;
    wrong.w = NULL;
    CHECK_FAILS(elision_linear_forward(&wrong, &y_out, fresh), ELISION_ERROR_NULL, "w");
    CHECK_FAILS(elision_linear_forward(&layer, &dx_out, fresh), ELISION_ERROR_SHAPE, "output");
    elision_view_mut onto_x = {x, y_shape, NULL, 2};
    CHECK_FAILS(elision_linear_forward(&layer, &onto_x, fresh), ELISION_ERROR_OVERLAP, "that of x");
    for (int i = 0; i < OUT; i++) CHECK(y[i] == 9.0f);
    CHECK(dx[0] == 0.0f && elision_saved_bytes(fresh) == 0 && elision_saved_bytes(NULL) == 0);
    elision_saved_free(fresh);
    elision_saved_free(recomputing);
    elision_saved_free(NULL);
}

void test_linear(void) {
    fill(x, M * K, 1);
    fill(w, UNITS * K, 2);
    fill(bias, UNITS, 3);
    fill(g, OUT, 4);
    for (int32_t activation = 0; activation <= ELISION_ACTIVATION_SIGMOID; activation++) {
        check_layer(activation, 0);
        check_layer(activation, 1);
    }
    check_faults();
}
