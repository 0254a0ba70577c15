/* fail.h: how the generator ends when it cannot go on: one line of JSON, and exit code 3. */
#ifndef GENERATOR_FAIL_H
#define GENERATOR_FAIL_H

/* Says what failed, with errno's meaning if ERROR is not 0. Does not return. */
_Noreturn void fail(const char *what, int error);

#endif
