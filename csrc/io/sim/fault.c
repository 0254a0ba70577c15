/* fault.c: what goes wrong. */
#include "model.h"

static int fault__backoff(io_t *io)
{
    static const int errors[] = {8, SIM_WSAEMFILE, SIM_WSAENOBUFS, SIM_WSAENOBUFS, 1450, 1816};
    return errors[rng_below(&io->rng, sizeof errors / sizeof errors[0])];
}

static int fault__hard(io_t *io)
{
    static const int errors[] = {
        SIM_NETNAME_DELETED, SIM_WSAEINVAL,        SIM_WSAECONNABORTED, SIM_WSAECONNRESET,
        SIM_WSAENOTCONN,     SIM_WSAETIMEDOUT,     SIM_WSAENETDOWN,     SIM_WSAEFAULT,
        SIM_WSAENOTSOCK,     12345 /* nobody's */,
    };
    return errors[rng_below(&io->rng, sizeof errors / sizeof errors[0])];
}

bool sim_fault_submit(io_t *io, sim_kind_t kind, int *error)
{
    if (IO_THREAD_EXIT_CANCELS && io->foreign) {
        sim_fail(io, "a submit by a thread that is not the engine's");
    }
    io->submits++;
    if (io->submits == io->config.submit_fail_at) {
        *error = io->config.submit_fail_error;
        bool backoff = ntstatus_classify(ntstatus_from_wsa(*error)).action == NTSTATUS_BACKOFF;
        sim_count_fault(io, backoff ? SIM_FAULT_submit_backoff : SIM_FAULT_submit_hard);
        return true;
    }
    if (!rng_chance(&io->rng, io->config.odds_submit[kind])) {
        return false;
    }
    bool backoff = rng_chance(&io->rng, 32768);
    *error = backoff ? fault__backoff(io) : fault__hard(io);
    sim_count_fault(io, backoff ? SIM_FAULT_submit_backoff : SIM_FAULT_submit_hard);
    return true;
}

bool sim_fault_completion(io_t *io, uint32_t *status)
{
    static const uint32_t statuses[] = {
        0xC00000C4u, 0xC000009Au, 0xC000013Bu, 0xC000013Cu, 0xC000013Eu, 0xC00000B5u,
        0xC000020Cu, 0xC000020Du, 0xC0000241u, 0xC0000017u, 0xC000023Du, 0xC00000DEu,
    };
    if (!rng_chance(&io->rng, io->config.odds_completion)) {
        return false;
    }
    *status = statuses[rng_below(&io->rng, sizeof statuses / sizeof statuses[0])];
    return true;
}

bool sim_fault_setup(io_t *io, int *error)
{
    if (!rng_chance(&io->rng, io->config.odds_setup)) {
        return false;
    }
    *error = rng_chance(&io->rng, 16384) ? fault__backoff(io) : fault__hard(io);
    return true;
}

int sim_submit_failed(io_op_t *op, int error)
{
    op->error = error;
    return (int)(int32_t)ntstatus_from_wsa(error);
}
