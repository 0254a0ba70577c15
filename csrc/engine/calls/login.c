/* login.c: sessions get names, take them over from others, and give them back. */
#include "../session/names.h"

#include "../session/session.h"
#include "../state.h"
#include "control.h"

name_t *engine_find_name(engine_t *engine, uint64_t hash, name_t *after)
{
    return after == NULL ? names_newest(&engine->names, hash) : names_older(&engine->names, after);
}

name_entry_t engine_enter_name(engine_t *engine, name_t *name, uint64_t hash, uint64_t seen)
{
    return names_enter(&engine->names, name, hash, seen);
}

bool engine_let_go_name(engine_t *engine, name_t *name)
{
    return names_let_go(&engine->names, name);
}

token_t engine_name_owner(engine_t *engine, name_t *name)
{
    return names_owner(&engine->names, name);
}

uint32_t engine_count_names(engine_t *engine)
{
    return names_count(&engine->names);
}

uint32_t engine_list_names(engine_t *engine, name_t **out, token_t *owners, uint32_t most)
{
    return names_list(&engine->names, out, owners, most);
}

/* As engine_login, but for the end of the OTHER one. The slot's lock is held. */
static login_t login(engine_t *engine, slot_t *slot, name_t *name, bool replaces, token_t *other,
                     name_t **left)
{
    if (slot->state != SLOT_OPEN) {
        return LOGIN_CLOSED;
    }
    name_t *old = slot->session.name;
    if (names_take(&engine->names, name, old, slot->token, replaces, other) == NAME_REFUSED) {
        return LOGIN_CONFLICT;
    }
    *left = old == name ? NULL : old;
    slot->session.name = name;
    slot->pending |= PENDING_LOGIN;
    atomic_u32_store(&slot->session.mute, 1); /* until that has been told */
    session_advance(engine, slot, NULL);
    return LOGIN_DONE;
}

login_t engine_login(engine_t *engine, token_t token, name_t *name, bool replaces, batch_t *batch,
                     token_t *other, name_t **left)
{
    call_t why;
    *other = TOKEN_NONE;
    *left = NULL;
    slot_t *slot = control_lock(engine, token, &why);
    if (slot == NULL) {
        return LOGIN_CLOSED;
    }
    login_t result = login(engine, slot, name, replaces, other, left);
    mutex_unlock(&slot->lock);
    if (result == LOGIN_DONE && *other != TOKEN_NONE) {
        (void)engine_end(engine, *other, REASON_REPLACED, batch);
    }
    return result;
}

name_t *engine_leave_name(engine_t *engine, const event_t *event)
{
    slot_t *slot = event->slot;
    mutex_lock(&slot->lock);
    name_t *name = slot->session.name;
    slot->session.name = NULL;
    mutex_unlock(&slot->lock);
    return name != NULL && names_let_go(&engine->names, name) ? name : NULL;
}
