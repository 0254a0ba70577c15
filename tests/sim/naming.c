/* naming.c: the application's names: looked for, entered, had, taken over and given back at every
 * step of the life of a slot, by workers and by other threads.
 *
 * Names are numbers here, and several have one hash. Where the layer above would compare two, which
 * may run anything, others make steps. What a login must come to is said before the call: no other
 * thread runs between that and the lock under which the engine decides. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* In worlds where clients want each other's names there are so many, of so many hashes. */
#define KINDS  12u
#define HASHES 3u

typedef struct {
    name_t name;
    uint64_t kind;
} label_t;

static label_t *naming__of(name_t *name)
{
    return LIST_ENTRY(name, label_t, name);
}

void naming_begin(world_t *world)
{
    naming_t *naming = &world->naming;
    naming->rng.state = rng_mix(world->plan.seed ^ 0x7A3Eu);
    naming->kinds = rng_below(&naming->rng, 4) != 0 ? 0 : 1 + rng_below(&naming->rng, KINDS);
}

static void naming__free(world_t *world, name_t *name)
{
    if (name != NULL) {
        world->naming.live--;
        memset(naming__of(name), 0xDD, sizeof(label_t)); /* nobody may look at it any more */
        free(naming__of(name));
    }
}

static void naming__let_go(world_t *world, name_t *name)
{
    if (name != NULL && engine_let_go_name(world->engine, name)) {
        naming__free(world, name);
    }
}

/* Comparing may do anything. */
static void naming__compare(world_t *world)
{
    if (world->running && world->nest < NEST_MAX && rng_below(&world->naming.rng, 4) == 0) {
        world->nest++;
        world_step(world);
        world->nest--;
    }
}

/* The name of KIND, held; NULL where there is none. */
static name_t *naming__look_up(world_t *world, uint64_t kind, uint64_t hash, uint64_t *seen)
{
    name_t *name = engine_find_name(world->engine, hash, NULL);
    *seen = name == NULL ? 0 : name->number;
    while (name != NULL) {
        CHECK_THAT(world, name->hash == hash, "a name of another hash is found");
        naming__compare(world);
        if (naming__of(name)->kind == kind) {
            return name;
        }
        name_t *older = engine_find_name(world->engine, hash, name);
        CHECK_THAT(world, older == NULL || older->number < name->number,
                   "names are not found from the newest on");
        naming__let_go(world, name);
        name = older;
    }
    return NULL;
}

/* And where there is none it is entered; NULL where memory is short. */
static name_t *naming__get(world_t *world, uint64_t kind)
{
    uint64_t hash = kind % HASHES;
    label_t *fresh = NULL;
    name_t *name = NULL;
    name_entry_t entry = NAME_OVERTAKEN;
    while (entry == NAME_OVERTAKEN) {
        uint64_t seen;
        name = naming__look_up(world, kind, hash, &seen);
        if (name != NULL) {
            break;
        }
        fresh = fresh == NULL ? malloc(sizeof *fresh) : fresh;
        if (fresh == NULL) {
            return NULL;
        }
        fresh->kind = kind;
        naming__compare(world);
        entry = engine_enter_name(world->engine, &fresh->name, hash, seen);
        world->totals->names_overtaken += entry == NAME_OVERTAKEN;
    }
    if (entry == NAME_ENTERED) {
        world->naming.live++;
        return &fresh->name;
    }
    free(fresh);
    return name;
}

static const slot_t *naming__slot_of(world_t *world, token_t token)
{
    const slot_t *slot = token == TOKEN_NONE ? NULL : table_find(&world->engine->table, token);
    return slot != NULL && slot->token == token ? slot : NULL;
}

static bool naming__is_open(world_t *world, token_t token)
{
    const slot_t *slot = naming__slot_of(world, token);
    return slot != NULL && slot->state == SLOT_OPEN;
}

/* What a login of REC under NAME has to come to; OTHER is who has the name. */
static login_t naming__predict(world_t *world, const rec_t *rec, name_t *name, bool replaces,
                               token_t *other)
{
    *other = name->owner == rec->token ? TOKEN_NONE : name->owner;
    if (!naming__is_open(world, rec->token)) {
        return LOGIN_CLOSED;
    }
    CHECK_THAT(world, *other == TOKEN_NONE || naming__slot_of(world, *other) != NULL,
               "one who is gone has a name");
    bool keeps = *other != TOKEN_NONE && naming__is_open(world, *other) && !replaces;
    return keeps ? LOGIN_CONFLICT : LOGIN_DONE;
}

static void naming__note(world_t *world, login_t login, token_t other, bool open)
{
    totals_t *totals = world->totals;
    totals->logins[login]++;
    totals->names_replaced += login == LOGIN_DONE && other != TOKEN_NONE && open;
    totals->names_inherited += login == LOGIN_DONE && other != TOKEN_NONE && !open;
}

void naming_login(world_t *world, rec_t *rec, batch_t *batch)
{
    naming_t *naming = &world->naming;
    uint64_t kind =
        naming->kinds == 0 ? KINDS + naming->asked++ : rng_below(&naming->rng, naming->kinds);
    name_t *name = naming__get(world, kind);
    if (name == NULL) {
        return;
    }
    bool replaces = rng_below(&naming->rng, 2) == 0;
    token_t expected_other;
    login_t expected = naming__predict(world, rec, name, replaces, &expected_other);
    bool other_open = naming__is_open(world, expected_other);
    rec->logins_asked += expected == LOGIN_DONE;
    rec->logged_in |= expected == LOGIN_DONE;
    sim_trace(world->io, "login", rec->number, expected);
    token_t other;
    name_t *left;
    naming->other = expected_other;
    login_t login = engine_login(world->engine, rec->token, name, replaces, batch, &other, &left);
    CHECK_THAT(world, login == expected, "client %u's login came to %d instead of %d",
               (unsigned)rec->number, (int)login, (int)expected);
    CHECK_THAT(world, login == LOGIN_CLOSED || other == expected_other,
               "a login finds another one than has the name");
    CHECK_THAT(world, login != LOGIN_DONE || !naming__is_open(world, other),
               "one whose name was taken over goes on");
    naming__note(world, login, other, other_open);
    naming__let_go(world, left);
    naming__let_go(world, name);
}

/* One of the latest logs in, who may be gone. */
bool naming_try(world_t *world, batch_t *batch)
{
    naming_t *naming = &world->naming;
    if (naming->kinds == 0 || world->recs_count == 0 || rng_below(&naming->rng, 8) != 0) {
        return false;
    }
    uint32_t last = world->recs_count < 6 ? world->recs_count : 6;
    naming_login(world, &world->recs[world->recs_count - 1 - rng_below(&naming->rng, last)], batch);
    return true;
}

/* Between the take-over and the end REC may log in once more. */
static void naming__intrude(world_t *world, rec_t *rec)
{
    naming_t *naming = &world->naming;
    bool takes_over = naming->other == rec->token;
    naming->other = TOKEN_NONE;
    if (takes_over && world->nest < NEST_MAX && rng_below(&naming->rng, 2) == 0) {
        world->nest++;
        naming_login(world, rec, NULL);
        world->nest--;
    }
}

/* Somebody's end for REASON_REPLACED is about to begin. */
void naming_replaced(world_t *world, token_t token)
{
    const slot_t *slot = naming__slot_of(world, token);
    uintptr_t place = slot == NULL ? 0 : (uintptr_t)slot->session.user;
    for (uint32_t i = world->recs_count; i > 0 && place != 0; i--) {
        rec_t *rec = &world->recs[i - 1];
        if (rec->token == token) {
            rec->meddled = true;
            naming__intrude(world, rec);
            if (slot->state == SLOT_OPEN && !slot->session.ending.known && !rec->ends) {
                rec->ends = true;
                rec->reason = REASON_REPLACED;
            }
            return;
        }
    }
}

/* The end of EVENT's client is told: nobody else may find that it has a name. */
void naming_leave(world_t *world, const event_t *event)
{
    const name_t *name = event->slot->session.name;
    CHECK_THAT(world, name == NULL || name->owner != event->token,
               "slot %u: the end is told, and its client has its name still", event->slot->index);
    naming__free(world, engine_leave_name(world->engine, event));
}

/* Who is open has its name; or another has, and is about to end it. */
static void naming__check_slots(world_t *world)
{
    for (uint32_t i = 0; i < table_count(&world->engine->table); i++) {
        const slot_t *slot = table_at(&world->engine->table, i);
        const name_t *name = slot->state == SLOT_OPEN ? slot->session.name : NULL;
        CHECK_THAT(world, name == NULL || name->owner == slot->token,
                   "slot %u is open, and its name is another's, or nobody's", slot->index);
    }
}

/* Each name that is had is that of one session, which has no other; and no name is there twice. */
void naming_check(world_t *world)
{
    const names_t *names = &world->engine->names;
    uint32_t count = 0;
    for (uint32_t i = 0; i < names->size; i++) {
        const list_t *place = &names->places[i];
        for (list_node_t *node = place->next; node != place; node = node->next) {
            name_t *name = LIST_ENTRY(node, name_t, node);
            const slot_t *slot = naming__slot_of(world, name->owner);
            CHECK_THAT(world, name->owner == TOKEN_NONE || slot != NULL,
                       "one who is gone has a name");
            CHECK_THAT(world, slot == NULL || slot->session.name == name,
                       "slot %u has a name, and knows of another", slot->index);
            CHECK_THAT(world, slot == NULL || name->parting == (slot->state != SLOT_OPEN),
                       "slot %u: its name is to be had, or not, against its state", slot->index);
            CHECK_THAT(world, (name->owner != TOKEN_NONE) == list_is_linked(&name->taken),
                       "a name is listed and not had, or the other way round");
            count += name->owner != TOKEN_NONE;
            for (list_node_t *next = node->next; next != place; next = next->next) {
                CHECK_THAT(world,
                           naming__of(LIST_ENTRY(next, name_t, node))->kind !=
                               naming__of(name)->kind,
                           "a name is there twice");
            }
        }
    }
    naming__check_slots(world);
    CHECK_THAT(world, count == names->taken_count && names->count == world->naming.live,
               "names are miscounted");
}

void naming_end(world_t *world)
{
    naming_check(world);
    CHECK_THAT(world, world->naming.live == 0, "names are left of clients who are gone");
}
