/* Runs every test. The argument is the file of golden digests. */
#include "check.h"

int main(int count, char **words) {
    CHECK(count == 2);
    test_version();
    test_layout();
    test_keys();
    test_masks();
    test_golden(words[1]);
    test_dropout();
    test_strides();
    test_shared();
    test_linear();
    test_faults();
    test_threads();
    test_isas();
    puts("all tests passed");
    return 0;
}
