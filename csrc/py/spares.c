/* spares.c: the bytes objects that receives borrow: lent, taken back, told of, made and freed. */
#include "spares.h"

#include <stddef.h>
#include <stdlib.h>

#include "../base/atomics.h"
#include "../base/copy.h"
#include "../base/mutex.h"

/* What one receive may bring, and what all spares may take. */
#define LOAN_BYTES  (256u * 1024u)
#define BYTES_LIMIT (2048u * 1024u)

/* Smaller objects would be too many for a loan, and too small to be worth it. From 128 KiB on
 * malloc asks the system for each: whatever does not fill them would cost calls to shrink them, and
 * a fault for each page. */
#define SIZE_LEAST (LOAN_BYTES / IO_LOAN_BUFS_MAX)
#define SIZE_MOST  (96u * 1024u)
#define COUNT_MAX  (BYTES_LIMIT / SIZE_LEAST)

/* A message that fills less than this part of its object is copied. */
#define WORTH_PART 4u

/* What receives have not used for so long, or up to twice as long, is freed, if there is anything
 * else to do by then. */
#define PERIOD_NS 1000000000u

/* Misplaced objects that one refill puts up with. */
#define MISPLACED_MAX 4u

typedef struct loan {
    direct_loan_t direct; /* is first: what the engine knows of it */
    uint32_t count;
    struct loan *next;
} loan_t;

struct spares {
    io_lender_t lender; /* is first */
    uint32_t size;      /* of an object's bytes; constant, as the next two */
    uint32_t loan_max;  /* objects in a loan */
    uint32_t count_max; /* and in all */

    mutex_t lock;        /* a leaf; guards the rest */
    uint32_t made;       /* objects that wait, are in a loan, or are just being made */
    uint32_t count;      /* those that wait, in READY */
    atomic_u32_t target; /* so many are to wait; read without the lock, as is WANTED: */
    atomic_u32_t wanted; /* those that receives have used or lacked since the last review */
    uint32_t peak;       /* the most of that in this period */
    uint64_t period_ends_ns;
    loan_t *unused;
    char *ready[COUNT_MAX]; /* what an object's bytes are received into; the last is lent first */
    loan_t loans[COUNT_MAX];
};

static PyObject *object_of(char *bytes)
{
    return (PyObject *)(void *)(bytes - offsetof(PyBytesObject, ob_sval));
}

static void want(spares_t *spares, uint32_t count)
{
    atomic_u32_store(&spares->wanted, atomic_u32_load(&spares->wanted) + count);
}

static uint32_t lend(io_lender_t *lender, void *borrower, io_buf_t *bufs, void **name)
{
    (void)borrower;
    spares_t *spares = (spares_t *)(void *)lender;
    mutex_lock(&spares->lock);
    loan_t *loan = spares->unused;
    if (loan == NULL || spares->count == 0) {
        want(spares, spares->loan_max);
        mutex_unlock(&spares->lock);
        return 0;
    }
    spares->unused = loan->next;
    loan->count = 0;
    while (loan->count < spares->loan_max && spares->count > 0) {
        char *bytes = spares->ready[--spares->count];
        loan->direct.messages[loan->count] = bytes;
        bufs[loan->count++] = io_buf(bytes, spares->size);
    }
    mutex_unlock(&spares->lock);
    *name = loan;
    return loan->count;
}

static void take_back(io_lender_t *lender, void *borrower, void *name, uint32_t kept)
{
    (void)borrower;
    spares_t *spares = (spares_t *)(void *)lender;
    loan_t *loan = name;
    uint32_t used = (kept + spares->size - 1) / spares->size;
    mutex_lock(&spares->lock);
    /* From the last to the first: so the first is the next to be lent, and still in the cache. */
    while (loan->count > used) {
        char *bytes = loan->direct.messages[--loan->count];
        if (bytes != NULL) {
            spares->ready[spares->count++] = bytes;
        }
    }
    if (used == 0) {
        loan->next = spares->unused;
        spares->unused = loan;
    }
    mutex_unlock(&spares->lock);
}

/* Without a GIL an object belongs to the thread that made it, and nobody else may count it as his.
 */
#ifdef Py_GIL_DISABLED
#define THREADS_SHARE_OBJECTS false
#else
#define THREADS_SHARE_OBJECTS true
#endif

spares_t *spares_new(const engine_options_t *options)
{
    uint32_t size = options->read_size;
    bool useful = IO_RECV_BORROWS && THREADS_SHARE_OBJECTS && options->framing.kind == FRAMING_NONE;
    if (!useful || size < SIZE_LEAST || size > SIZE_MOST) {
        return NULL;
    }
    spares_t *spares = calloc(1, sizeof *spares);
    if (spares == NULL) {
        return NULL;
    }
    spares->lender = (io_lender_t){.size = LOAN_BYTES, .lend = lend, .take_back = take_back};
    spares->size = size;
    spares->loan_max = (LOAN_BYTES + size - 1) / size;
    spares->count_max = BYTES_LIMIT / size;
    mutex_init(&spares->lock);
    for (uint32_t i = 0; i < COUNT_MAX; i++) {
        spares->loans[i].next = spares->unused;
        spares->unused = &spares->loans[i];
    }
    return spares;
}

void spares_free(spares_t *spares)
{
    for (uint32_t i = 0; i < spares->count; i++) {
        Py_DECREF(object_of(spares->ready[i]));
    }
    mutex_destroy(&spares->lock);
    free(spares);
}

void spares_disown(spares_t *spares)
{
    mutex_init(&spares->lock);
    spares->count = 0;
    spares->unused = NULL;
    spares->made = 0;
    spares->count_max = 0;
    atomic_u32_store(&spares->target, 0);
    atomic_u32_store(&spares->wanted, 0);
}

io_lender_t *spares_lender(spares_t *spares)
{
    return spares == NULL ? NULL : &spares->lender;
}

/* Makes up to COUNT objects; returns how many. */
static uint32_t make(const spares_t *spares, char **made, uint32_t count)
{
    PyObject *misplaced[MISPLACED_MAX];
    uint32_t bad = 0;
    uint32_t good = 0;
    while (good < count && bad < MISPLACED_MAX) {
        PyObject *object = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)spares->size);
        if (object == NULL) {
            PyErr_Clear(); /* it goes without */
            break;
        }
        if (copy_is_misplaced(PyBytes_AS_STRING(object))) {
            misplaced[bad++] = object; /* and kept, or the next would get the same place */
        } else {
            made[good++] = PyBytes_AS_STRING(object);
        }
    }
    while (bad > 0) {
        Py_DECREF(misplaced[--bad]);
    }
    return good;
}

/* As many as that many in a batch call for: the last receive is to get a whole loan, too. */
static uint32_t enough(const spares_t *spares, uint32_t wanted)
{
    uint32_t count = wanted == 0 ? 0 : wanted + spares->loan_max - 1;
    return count < spares->count_max ? count : spares->count_max;
}

/* Looks what receives have wanted since the last time. Locked. */
static void set_target(spares_t *spares, uint64_t now_ns)
{
    uint32_t wanted = atomic_u32_load(&spares->wanted);
    uint32_t target = atomic_u32_load(&spares->target);
    atomic_u32_store(&spares->wanted, 0);
    spares->peak = wanted > spares->peak ? wanted : spares->peak;
    uint32_t count = enough(spares, spares->peak);
    if (now_ns >= spares->period_ends_ns) {
        spares->period_ends_ns = now_ns + PERIOD_NS;
        spares->peak = 0;
        target = count;
    }
    atomic_u32_store(&spares->target, count > target ? count : target);
}

static void review(spares_t *spares, uint64_t now_ns)
{
    char *surplus[COUNT_MAX];
    uint32_t count = 0;
    mutex_lock(&spares->lock);
    set_target(spares, now_ns);
    while (spares->count > atomic_u32_load(&spares->target)) {
        surplus[count++] = spares->ready[--spares->count];
        spares->made--;
    }
    mutex_unlock(&spares->lock);
    while (count > 0) {
        Py_DECREF(object_of(surplus[--count]));
    }
}

/* How many are missing, and may be made; they count as made from here on. While a BATCH runs, what
 * its loans have is on its way back, or is claimed before it ends. */
static uint32_t reserve(spares_t *spares, bool batch)
{
    mutex_lock(&spares->lock);
    uint32_t target = atomic_u32_load(&spares->target);
    uint32_t have = batch ? spares->made : spares->count;
    uint32_t missing = target > have ? target - have : 0;
    uint32_t room = spares->count_max - spares->made;
    missing = missing < room ? missing : room;
    spares->made += missing;
    mutex_unlock(&spares->lock);
    return missing;
}

static void refill(spares_t *spares, bool batch)
{
    char *made[COUNT_MAX];
    uint32_t missing = reserve(spares, batch);
    if (missing == 0) {
        return;
    }
    uint32_t count = make(spares, made, missing);
    mutex_lock(&spares->lock);
    spares->made -= missing - count;
    while (count > 0) {
        spares->ready[spares->count++] = made[--count];
    }
    mutex_unlock(&spares->lock);
}

void spares_refill(spares_t *spares)
{
    if (atomic_u32_load(&spares->target) != 0) {
        refill(spares, true);
    }
}

void spares_review(spares_t *spares, uint64_t now_ns)
{
    if (atomic_u32_load(&spares->wanted) != 0 || atomic_u32_load(&spares->target) != 0) {
        review(spares, now_ns);
        refill(spares, false);
    }
}

/* Its bytes are about to change. */
static void forget_hash(PyObject *object)
{
    _Py_COMP_DIAG_PUSH;
    _Py_COMP_DIAG_IGNORE_DEPR_DECLS;
    ((PyBytesObject *)object)->ob_shash = -1;
    _Py_COMP_DIAG_POP;
}

/* Makes a spare of OBJECT, if one is wanted, and it can be one. Its reference is the spares' then.
 */
static bool keep(spares_t *spares, PyObject *object)
{
    char *bytes = PyBytes_AS_STRING(object);
    if (Py_REFCNT(object) != 1 || copy_is_misplaced(bytes)) {
        return false;
    }
    mutex_lock(&spares->lock);
    bool wanted =
        spares->count < atomic_u32_load(&spares->target) && spares->made < spares->count_max;
    if (wanted) {
        forget_hash(object);
        spares->made++;
        spares->ready[spares->count++] = bytes;
    }
    mutex_unlock(&spares->lock);
    return wanted;
}

void spares_drop(spares_t *spares, PyObject *object)
{
    bool fits = atomic_u32_load(&spares->target) != 0 && PyBytes_CheckExact(object) &&
                PyBytes_GET_SIZE(object) == (Py_ssize_t)spares->size;
    if (!fits || !keep(spares, object)) {
        Py_DECREF(object);
    }
}

bool spares_is_worth(const spares_t *spares, uint32_t len)
{
    return len >= spares->size / WORTH_PART;
}

PyObject *spares_claim(spares_t *spares, char **place, uint32_t len)
{
    PyObject *object = object_of(*place);
    *place = NULL;
    mutex_lock(&spares->lock);
    spares->made--;
    want(spares, 1);
    mutex_unlock(&spares->lock);
    if (len < spares->size) {
        (void)_PyBytes_Resize(&object, (Py_ssize_t)len);
    }
    return object;
}
