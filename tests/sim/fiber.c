/* fiber.c: fibers, made of ucontext. */
#define _XOPEN_SOURCE 700

#include "fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#define STACK_SIZE ((size_t)256 * 1024)

struct fiber {
    void (*run)(void *context);
    void *context;
    ucontext_t inside;
    ucontext_t outside;
    char stack[STACK_SIZE];
};

/* makecontext passes nothing wider than an int. */
static void fiber__main(unsigned high, unsigned low)
{
    fiber_t *fiber = (fiber_t *)(uintptr_t)((uint64_t)high << 32 | low);
    fiber->run(fiber->context);
}

fiber_t *fiber_new(void (*run)(void *context), void *context)
{
    fiber_t *fiber = malloc(sizeof *fiber);
    if (fiber == NULL) {
        return NULL;
    }
    uint64_t address = (uint64_t)(uintptr_t)fiber;
    fiber->run = run;
    fiber->context = context;
    (void)getcontext(&fiber->inside);
    fiber->inside.uc_stack.ss_sp = fiber->stack;
    fiber->inside.uc_stack.ss_size = sizeof fiber->stack;
    fiber->inside.uc_link = &fiber->outside;
    makecontext(&fiber->inside, (void (*)(void))fiber__main, 2, (unsigned)(address >> 32),
                (unsigned)address);
    return fiber;
}

void fiber_resume(fiber_t *fiber)
{
    (void)swapcontext(&fiber->outside, &fiber->inside);
}

void fiber_rest(fiber_t *fiber)
{
    (void)swapcontext(&fiber->inside, &fiber->outside);
}

void fiber_free(fiber_t *fiber)
{
    free(fiber);
}
