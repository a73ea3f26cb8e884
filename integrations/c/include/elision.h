/*
 * elision for C: dropout that costs nothing, on float tensors that lie in the caller's memory.
 *
 * A complete program:
 *
 *     #include <elision.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         float x[600], y[600];
 *         for (int i = 0; i < 600; i++) x[i] = 1.0f;
 *         const size_t shape[] = {20, 30};
 *         elision_dropout dropout = {.key = elision_key_fold_in(elision_key_from_seed(42), 7), .p = 0.1};
 *         elision_view in = {x, shape, NULL, 2};
 *         elision_view_mut out = {y, shape, NULL, 2};
 *         if (elision_dropout_forward(&in, &dropout, &out, NULL) != ELISION_OK) {
 *             fprintf(stderr, "%s\n", elision_last_error());
 *             return 1;
 *         }
 *         return 0;
 *     }
 *
 * Calls
 *   - A function that can fail returns an elision_status. If that is not ELISION_OK, the call has changed
 *     nothing but the text of elision_last_error(), which names the argument and what is wrong with it.
 *   - Every argument is checked before anything is written. What cannot be checked: that a pointer that is not
 *     NULL points to as many elements as its shape says, and that a handle is one that has not been freed.
 *   - A fault inside of the library never leaves it as a panic or an exception: it is ELISION_ERROR_INTERNAL. What
 *     outputs then hold is unspecified, and a note has been written to standard error.
 *
 * Memory
 *   - Tensors, shapes, strides and descriptions belong to the caller. No function keeps a pointer to them.
 *   - What a function makes through a pointer to a handle is freed with the handle's elision_..._free, which takes
 *     NULL too. The pointer is written only if the call succeeds.
 *
 * Threads
 *   - All functions may be called from several threads at once, as long as nobody writes (or frees) memory or a
 *     handle that another one uses. A parameter that is a pointer to const is only read.
 *   - Large work is shared among the threads of the pool that the calling thread has chosen (elision_use_pool).
 *     The number of threads never changes a result.
 *   - A child of fork() must not use a pool that its parent has used, its default pool included.
 *
 * Randomness
 *   - Whether element i is kept is a function of (key, p, offset + i) and of nothing else. The same three give the
 *     same bits in C, Python and Rust, on every machine, with any number of threads.
 *   - Elements are counted in row-major order of the shape, whatever the strides.
 *
 * The language is C99. The header compiles as C++ too.
 */
#ifndef ELISION_H
#define ELISION_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version ------------------------------------------------------------------------------------------- */

/* The version of the library that this header belongs to. */
#define ELISION_VERSION_MAJOR 0
#define ELISION_VERSION_MINOR 1
#define ELISION_VERSION_PATCH 0
#define ELISION_VERSION "0.1.0"

/* The version of the binary interface: it changes if a program would have to be compiled again. */
#define ELISION_ABI_VERSION 1

/* The version of the library that runs, as "0.1.0". Never NULL. */
const char *elision_version(void);

/* The version of its binary interface. */
uint32_t elision_abi_version(void);

/* Whether the library that runs is one for which the program was compiled. */
#define ELISION_ABI_MATCHES() (elision_abi_version() == ELISION_ABI_VERSION)

/* ---- Errors -------------------------------------------------------------------------------------------- */

/* How a call ended: one of the numbers below. Later versions may add some. */
typedef int32_t elision_status;
enum {
    ELISION_OK = 0,
    ELISION_ERROR_NULL = 1,         /* a pointer that is needed is NULL */
    ELISION_ERROR_VALUE = 2,        /* a number or a word outside of what the parameter takes, p included */
    ELISION_ERROR_SHAPE = 3,        /* shapes that do not fit each other, or more than 8 axes */
    ELISION_ERROR_LENGTH = 4,       /* a mask, array or saved state of another length */
    ELISION_ERROR_LAYOUT = 5,       /* a pointer that is not aligned, a stride that cannot be used */
    ELISION_ERROR_OVERLAP = 6,      /* memory that is written overlaps other memory of the call */
    ELISION_ERROR_OVERFLOW = 7,     /* a size that fits neither the machine nor its memory */
    ELISION_ERROR_UNSUPPORTED = 8,  /* a combination that the operation does not have */
    ELISION_ERROR_ISA = 9,          /* an instruction set that is unknown, or that this processor lacks */
    ELISION_ERROR_THREADS = 10,     /* the system starts no more threads */
    ELISION_ERROR_INTERNAL = 11     /* a fault of the library; please report it */
};

/*
 * What went wrong in the last call of this thread that failed, as a lower-case sentence in English; "" if none did.
 * Never NULL. It is valid until the next call of this thread fails or the thread ends; success leaves it alone.
 */
const char *elision_last_error(void);

/* The name of a status, as "ELISION_ERROR_SHAPE"; "unknown status" of another number. Never NULL, never freed. */
const char *elision_status_name(elision_status status);

/* ---- Threads and instruction sets ---------------------------------------------------------------------- */

/* Some threads that share the work of the calls that are told to use them. */
typedef struct elision_pool elision_pool;

/*
 * Starts a pool of that many threads, at least one. With one thread all work of a call is done on it, and never on the
 * others of the machine.
 * Errors: VALUE if threads is 0 or above 65535; THREADS.
 */
elision_status elision_pool_new(size_t threads, elision_pool **pool);

/*
 * Frees the handle. The threads end when no thread uses the pool any more: freeing a pool that is in use is allowed.
 */
void elision_pool_free(elision_pool *pool);

/* The number of threads of the pool; 0 of NULL. */
size_t elision_pool_threads(const elision_pool *pool);

/*
 * Makes the calls of this thread, from now on, use that pool. NULL goes back to the default: a pool of the whole
 * process, started by the first work that is large enough to be shared, with a thread for each logical core or as
 * many as the environment variable RAYON_NUM_THREADS says.
 * A call then hands its work to the pool and waits, which costs some microseconds.
 * Errors: none but INTERNAL.
 */
elision_status elision_use_pool(const elision_pool *pool);

/* An instruction set: one of the numbers below. A larger one does more at a time. */
typedef int32_t elision_isa;
enum {
    ELISION_ISA_BEST = -1,    /* for elision_use_isa only */
    ELISION_ISA_SCALAR = 0,   /* plain loops */
    ELISION_ISA_PORTABLE = 1, /* what every processor of the kind has: SSE2, NEON */
    ELISION_ISA_AVX2 = 2,     /* AVX2 and FMA */
    ELISION_ISA_AVX512 = 3    /* AVX-512 F, BW, DQ and VL */
};

/*
 * The best instruction set of this processor, at most the one that the environment variable ELISION_MAX_ISA names
 * (scalar, portable, avx2 or avx512). The variable is read once in each process.
 * Errors: NULL; ISA if the variable holds another word.
 */
elision_status elision_isa_best(elision_isa *isa);

/* 1 if this processor has the instruction set, else 0. */
int elision_isa_available(elision_isa isa);

/* The word for it, as "avx2"; NULL of another number. Never freed. */
const char *elision_isa_name(elision_isa isa);

/*
 * Makes the calls of this thread, from now on, use that instruction set; ELISION_ISA_BEST goes back to the best one.
 * Masks and dropout have the same bits on all of them; products differ in their last bits.
 * Errors: VALUE if it is none of the numbers above; ISA if this processor lacks it.
 */
elision_status elision_use_isa(elision_isa isa);

/* ---- Keys ---------------------------------------------------------------------------------------------- */

/*
 * A name of a random stream: a plain value. Nothing is consumed; the same key always gives the same numbers. Derive
 * one for each layer, step or sample. To save a key, save its two numbers.
 */
typedef struct elision_key {
    uint64_t low;
    uint64_t high;
} elision_key;

/* The key of a seed. */
elision_key elision_key_from_seed(uint64_t seed);

/* The n-th child of a key. Different numbers give different children. */
elision_key elision_key_fold_in(elision_key key, uint64_t n);

/*
 * The child of a name, for layers that have one.
 * Errors: NULL; VALUE if the name is not UTF-8.
 */
elision_status elision_key_named(elision_key key, const char *name, elision_key *child);

/* ---- Dropout, described -------------------------------------------------------------------------------- */

/* What happens to a kept element in training: one of the numbers below. */
enum {
    ELISION_FORM_INVERTED = 0, /* it is multiplied by 1 / (1 - p); inference changes nothing */
    ELISION_FORM_ORIGINAL = 1  /* it stays as it is; inference multiplies by 1 - p */
};

/* One dropout. What an initialiser leaves out is 0: the inverted form, from element 0. */
typedef struct elision_dropout {
    elision_key key;
    double p;        /* the drop probability, in [0, 1]; honoured exactly */
    uint64_t offset; /* the index of the tensor's first element, where it is a piece of a larger one */
    int32_t form;    /* ELISION_FORM_... */
} elision_dropout;

/*
 * The factor of a kept element in training: 1 / (1 - p), rounded once to a float, or 1 for the original form.
 * Errors: NULL; VALUE if p is NaN or outside of [0, 1], or the form is unknown. So in every function that takes a
 * dropout.
 */
elision_status elision_dropout_scale(const elision_dropout *dropout, float *scale);

/* ---- Tensors ------------------------------------------------------------------------------------------- */

/*
 * A tensor that is read. data points to the element at index (0, ..., 0); shape has the size of each of rank axes, at
 * most 8, and strides the step of each axis in elements. strides may be NULL: row-major without gaps. A rank of 0 is
 * one number, and shape may then be NULL. data may be NULL if there are no elements, because a size is 0.
 *
 * A step of 0 repeats an axis. Negative steps are refused, and so are pointers that are not aligned to a float.
 *
 * In every function that takes tensors, the errors are those that it lists and
 *   NULL      a pointer of the tensor is missing
 *   SHAPE     more than 8 axes
 *   LAYOUT    a stride is negative, the data are not aligned, or two indices of an output meet one element
 *   OVERLAP   see below
 *   OVERFLOW  the elements of the tensor, or of a copy that is needed, do not fit in memory
 */
typedef struct elision_view {
    const float *data;
    const size_t *shape;
    const ptrdiff_t *strides;
    size_t rank;
} elision_view;

/*
 * A tensor that is written. No two indices may meet the same element: sorted by size, each stride must step over
 * everything that the shorter ones reach, which slices and transposes of an array always do.
 *
 * The memory from an output's first element to its last, gaps included, must not overlap that of any other tensor of
 * the call. Where a function says so, the output may be exactly its input: same data, shape and strides. The
 * operation is then done in place.
 *
 * Strides that are not row-major without gaps cost a copy.
 */
typedef struct elision_view_mut {
    float *data;
    const size_t *shape;
    const ptrdiff_t *strides;
    size_t rank;
} elision_view_mut;

/* ---- Masks --------------------------------------------------------------------------------------------- */

/* Which elements of a tensor are kept, one bit each. */
typedef struct elision_mask elision_mask;

/*
 * A mask of that many elements, all dropped, for a forward pass to fill.
 * Errors: NULL; OVERFLOW. So in every function that makes a mask.
 */
elision_status elision_mask_new(size_t length, elision_mask **mask);

/*
 * The keep bits of that many elements.
 * Errors: OVERFLOW if the offset plus the length does not fit 64 bits.
 */
elision_status elision_mask_draw(const elision_dropout *dropout, size_t length, elision_mask **mask);

/*
 * Draws the bits of a mask anew, without allocating.
 * Errors: OVERFLOW if the offset plus the length does not fit 64 bits.
 */
elision_status elision_mask_redraw(elision_mask *mask, const elision_dropout *dropout);

/* A mask from one byte an element: 0 is dropped, anything else kept. kept may be NULL if length is 0. */
elision_status elision_mask_from_bools(const uint8_t *kept, size_t length, elision_mask **mask);

/*
 * A mask from packed words: bit i % 64 of word i / 64 is 1 if element i is kept. Bits past the length are ignored.
 * Errors: LENGTH if count is not length / 64, rounded up.
 */
elision_status elision_mask_from_words(
    const uint64_t *words, size_t count, size_t length, elision_mask **mask);

/* Frees a mask. */
void elision_mask_free(elision_mask *mask);

/* The number of elements; 0 of NULL. */
size_t elision_mask_length(const elision_mask *mask);

/* The number of elements that are kept; 0 of NULL. */
size_t elision_mask_count_kept(const elision_mask *mask);

/* 1 if element i is kept, 0 if it is dropped, -1 if there is none. */
int elision_mask_get(const elision_mask *mask, size_t i);

/*
 * The packed words, as elision_mask_from_words takes them; their number is length / 64, rounded up. Bits past the
 * length are 0. The pointer is valid until the mask is written or freed, and is not to be read if there are no words.
 * NULL of NULL.
 */
const uint64_t *elision_mask_words(const elision_mask *mask);

/*
 * Writes one byte an element: 1 if it is kept, else 0.
 * Errors: NULL; LENGTH if length is not the mask's.
 */
elision_status elision_mask_to_bools(const elision_mask *mask, uint8_t *kept, size_t length);

/*
 * Writes the packed bytes, the same on every machine: bit i % 8 of byte i / 8 is 1 if element i is kept.
 * Errors: NULL; LENGTH if count is not the mask's length / 8, rounded up.
 */
elision_status elision_mask_to_bytes(const elision_mask *mask, uint8_t *bytes, size_t count);

/* ---- Dropout of each element --------------------------------------------------------------------------- */

/*
 * Dropout in training. A dropped element is +0.0 whatever it was, NaN and infinity included; a kept one is x times
 * elision_dropout_scale. out has the shape of x, and may be x.
 * mask is filled with the bits, one an element; with NULL they are forgotten, and the backward pass draws them again.
 * Errors: SHAPE; LENGTH if the mask has another length; OVERFLOW if offset plus length does not fit 64 bits.
 */
elision_status elision_dropout_forward(
    const elision_view *x, const elision_dropout *dropout, const elision_view_mut *out, elision_mask *mask);

/*
 * The gradient of dropout: g times the scale where kept, +0.0 elsewhere. out has the shape of g, and may be g.
 * The bits are those of mask; with NULL they are drawn again from the key, the same ones.
 * Errors: those of the forward pass.
 */
elision_status elision_dropout_backward(
    const elision_view *g, const elision_dropout *dropout, const elision_mask *mask, const elision_view_mut *out);

/*
 * What inference does: a copy bit for bit, for the inverted form; x times 1 - p, rounded once, for the original one.
 * out has the shape of x, and may be x.
 * Errors: SHAPE.
 */
elision_status elision_dropout_inference(
    const elision_view *x, const elision_dropout *dropout, const elision_view_mut *out);

/* ---- Dropout of channels, rows and other groups -------------------------------------------------------- */

/* Which elements of a tensor share a fate: one of the numbers below. */
enum {
    ELISION_WHERE_ELEMENT = 0,       /* none */
    ELISION_WHERE_UNIT = 1,          /* a column of the last axis, in the whole batch: [1, ..., 1, units] */
    ELISION_WHERE_CHANNEL_LAST = 2,  /* a channel of a sample: [samples, 1, ..., 1, channels] */
    ELISION_WHERE_CHANNEL_FIRST = 3, /* the same: [samples, channels, 1, ..., 1] */
    ELISION_WHERE_ROW = 4,           /* a row along the last axis, as a token: [..., 1] */
    ELISION_WHERE_SAMPLE = 5         /* a sample: [samples, 1, ..., 1] */
};

/*
 * Writes the rank sizes of a noise shape: the sizes of the axes along which decisions differ, and 1 for the others.
 * shape and noise_shape may be the same memory.
 * Errors: NULL; VALUE if place is none of the numbers above; SHAPE if the shape has too few axes, or more than 8.
 */
elision_status elision_noise_shape(int32_t place, const size_t *shape, size_t rank, size_t *noise_shape);

/*
 * A dropout of groups. noise_shape has noise_rank sizes; aligned with the tensor's shape at the last axis, each is the
 * tensor's or 1, and an absent one counts as 1. Group i, in row-major order of the noise shape, has bit i.
 */
typedef struct elision_shared_dropout {
    elision_dropout dropout;
    const size_t *noise_shape;
    size_t noise_rank;
} elision_shared_dropout;

/*
 * Dropout in training of groups of elements that share a fate. out has the shape of x; it cannot be x.
 * mask is filled with the bits, one a group, as elision_mask_draw draws them; NULL forgets them.
 * Errors: SHAPE; LENGTH if the mask has not one bit a group; OVERFLOW if offset plus groups does not fit 64 bits.
 */
elision_status elision_shared_dropout_forward(
    const elision_view *x, const elision_shared_dropout *dropout, const elision_view_mut *out, elision_mask *mask);

/*
 * Its gradient: g times the scale where the group is kept, +0.0 elsewhere. out has the shape of g; it cannot be g.
 * The bits are those of mask, one a group; with NULL they are drawn again from the key.
 * Errors: those of the forward pass.
 */
elision_status elision_shared_dropout_backward(
    const elision_view *g,
    const elision_shared_dropout *dropout,
    const elision_mask *mask,
    const elision_view_mut *out);

/* ---- The fused linear layer ---------------------------------------------------------------------------- */

/* A function between layers: one of the numbers below. */
enum {
    ELISION_ACTIVATION_IDENTITY = 0,
    ELISION_ACTIVATION_RELU = 1,
    ELISION_ACTIVATION_GELU_TANH = 2, /* the approximation with tanh */
    ELISION_ACTIVATION_GELU_ERF = 3,  /* x times the normal distribution's mass below x */
    ELISION_ACTIVATION_TANH = 4,
    ELISION_ACTIVATION_SIGMOID = 5
};

/* A layer and its input: dropout(activation(x w^T + bias)), of shape [m, n]. */
typedef struct elision_linear {
    const elision_view *x;          /* [m, k] */
    const elision_view *w;          /* [n, k]: a row for each unit */
    const elision_view *bias;       /* [n]; NULL for none */
    int32_t activation;             /* ELISION_ACTIVATION_... */
    const elision_dropout *dropout; /* elements are those of the output; NULL for none */
} elision_linear;

/* What a forward pass leaves for its backward pass. Use one for each layer, again and again: it keeps its memory. */
typedef struct elision_saved elision_saved;

/*
 * Room for what a backward pass needs: one bit an element of the output at most, and after an activation that is
 * neither the identity nor ReLU the sums before it too, a float an element.
 *
 * If recompute is not 0 no bits are kept, and the backward pass finds the same ones again: from the key, or after ReLU
 * from the output.
 * Errors: NULL.
 */
elision_status elision_saved_new(int recompute, elision_saved **saved);

/* Frees it. */
void elision_saved_free(elision_saved *saved);

/* The bytes of what is saved; 0 of NULL. */
size_t elision_saved_bytes(const elision_saved *saved);

/*
 * The layer's output, in one product: out = dropout(activation(x w^T + bias)), of shape [m, n]. The keep bits are those
 * of elision_dropout_forward; the values those of separate operations within the error of a product.
 * saved is filled for the backward pass; NULL if there will be none.
 * Errors: SHAPE; VALUE if the activation is unknown; OVERFLOW if offset plus m n does not fit 64 bits.
 */
elision_status elision_linear_forward(
    const elision_linear *layer, const elision_view_mut *out, elision_saved *saved);

/* Where gradients go; one that is NULL is not computed. They overlap nothing, each other neither. */
typedef struct elision_linear_grads {
    const elision_view_mut *x;    /* [m, k] */
    const elision_view_mut *w;    /* [n, k] */
    const elision_view_mut *bias; /* [n]; also where the layer has no bias */
} elision_linear_grads;

/* What a backward pass is given. */
typedef struct elision_linear_output {
    const elision_view *g;      /* the gradient of the output: [m, n] */
    const elision_saved *saved; /* of the forward pass of the same layer */
    const elision_view *y;      /* the output of that pass: [m, n]. NULL, unless recompute was set and ReLU follows */
} elision_linear_output;

/*
 * The gradients of a layer. The layer must be described as in the forward pass, dropout included.
 * Errors: SHAPE; LENGTH or SHAPE if saved is another layer's; VALUE as in the forward pass; UNSUPPORTED if ReLU's bits
 * were not kept and y is NULL; OVERFLOW.
 */
elision_status elision_linear_backward(
    const elision_linear *layer, const elision_linear_output *output, const elision_linear_grads *grads);

#ifdef __cplusplus
}
#endif

#endif
