/* fiber.h: a function with a stack of its own, which can stop in the middle and go on later. The
 * manager is one: it sleeps deep inside engine_manage. */
#ifndef IOCPREUSE_TESTS_SIM_FIBER_H
#define IOCPREUSE_TESTS_SIM_FIBER_H

typedef struct fiber fiber_t;

/* NULL where memory is short. RUN has not begun. */
fiber_t *fiber_new(void (*run)(void *context), void *context);

/* Runs it until it rests, or returns. It must not have returned before. */
void fiber_resume(fiber_t *fiber);

/* In it: back to the one who resumed it. */
void fiber_rest(fiber_t *fiber);

void fiber_free(fiber_t *fiber);

#endif
