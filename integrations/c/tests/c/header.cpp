// The header compiles as C++, without C's designated initialisers, and its functions link.
#include <elision.h>

int main() {
    float x[4] = {1, 2, 3, 4};
    const size_t shape[] = {4};
    elision_dropout dropout = elision_dropout();
    dropout.key = elision_key_from_seed(1);
    elision_view in = {x, shape, NULL, 1};
    elision_view_mut out = {x, shape, NULL, 1};
    return elision_dropout_forward(&in, &dropout, &out, NULL) == ELISION_OK && x[3] == 4 ? 0 : 1;
}
