/* reason.c: why a session ended, and why its socket was not recycled. */
#include "reason.h"

#include "../../io/ntstatus.h"

static reason_t reason_from_how(ntstatus_how_t how)
{
    switch (how) {
    case NTSTATUS_HOW_OK:
    case NTSTATUS_HOW_FIN:
        return REASON_PEER_EOF;
    case NTSTATUS_HOW_RESET:
        return REASON_PEER_RESET;
    case NTSTATUS_HOW_TIMEOUT:
    case NTSTATUS_HOW_NETWORK:
    case NTSTATUS_HOW_CANCEL:
    case NTSTATUS_HOW_RESOURCE:
    case NTSTATUS_HOW_MISUSE:
        break;
    }
    return REASON_NETWORK;
}

ending_t ending_from_status(uint32_t status, int error)
{
    ntstatus_t nt = ntstatus_classify(status);
    ending_t ending = {0};
    ending.known = true;
    ending.has_status = true;
    ending.bug = nt.action == NTSTATUS_BUG;
    ending.reason = (uint8_t)reason_from_how(nt.how);
    ending.status = status;
    ending.error = error;
    switch (nt.initiator) {
    case NTSTATUS_BY_PEER:
        ending.initiator = INITIATOR_PEER;
        break;
    case NTSTATUS_BY_LOCAL:
        ending.initiator = INITIATOR_LOCAL;
        break;
    case NTSTATUS_BY_STACK:
        ending.initiator = INITIATOR_STACK;
        break;
    }
    if (ending.reason == REASON_PEER_EOF) {
        /* A receive of 0 bytes completes with STATUS_SUCCESS, which names no one. */
        ending.initiator = INITIATOR_PEER;
    }
    return ending;
}

ending_t ending_local(reason_t reason)
{
    ending_t ending = {0};
    ending.known = true;
    ending.reason = (uint8_t)reason;
    ending.initiator = reason == REASON_TRUNCATED ? INITIATOR_PEER : INITIATOR_LOCAL;
    return ending;
}

ending_t ending_frame(frame_t fault, uint64_t len)
{
    ending_t ending = ending_local(REASON_FRAME_ERROR);
    ending.fault = (uint8_t)fault;
    ending.fault_len = len;
    return ending;
}

const char *cause_name(cause_t cause)
{
    static const char *const names[CAUSE_COUNT] = {
        [CAUSE_UNSUPPORTED] = "unsupported",
        [CAUSE_OFF] = "off",
        [CAUSE_RESET] = "reset",
        [CAUSE_ABORT] = "abort",
        [CAUSE_ERROR] = "error",
        [CAUSE_UNSENT] = "unsent",
        [CAUSE_LINGER] = "linger",
        [CAUSE_CALLBACK_ERROR] = "callback_error",
        [CAUSE_REFUSED] = "refused",
        [CAUSE_SURPLUS] = "surplus",
        [CAUSE_SHRUNK] = "shrunk",
        [CAUSE_STOPPING] = "stopping",
        [CAUSE_ACCEPT_FAILED] = "accept_failed",
        [CAUSE_DISCONNECT_FAILED] = "disconnect_failed",
        [CAUSE_COOLING_CAP] = "cooling_cap",
        [CAUSE_COOLING_DEADLINE] = "cooling_deadline",
        [CAUSE_STUCK] = "stuck",
    };
    return names[cause];
}
