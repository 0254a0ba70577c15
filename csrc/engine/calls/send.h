/* send.h: how whatever is sent to a client gets into its send queue. The slot's lock is held. */
#ifndef IOCPREUSE_ENGINE_SEND_H
#define IOCPREUSE_ENGINE_SEND_H

#include "../engine.h"
#include "../work/batch.h"

/* Whether LEN more bytes may be queued: CALL_OK, or why not. */
call_t send_admit(engine_t *engine, slot_t *slot, size_t len, batch_t *batch);

/* Queues CHAIN, which has been admitted and is empty afterwards. CALL_OK or CALL_FULL. */
call_t send_queue(engine_t *engine, slot_t *slot, sendq_t *chain, batch_t *batch);

#endif
