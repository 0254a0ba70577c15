/* config.c: what a seed makes of a world. Some worlds are calm, some are rough in one way, and
 * some in every way. */
#include <string.h>

#include "world.h"

static uint32_t config__odds(rng_t *rng, uint32_t most)
{
    static const uint32_t divisors[] = {1, 8, 64};
    return rng_below(rng, 2) == 0 ? 0 : most / divisors[rng_below(rng, 3)];
}

static void config__sim(sim_config_t *sim, rng_t *rng)
{
    sim->seed = rng_next(rng);
    sim->reuse = rng_below(rng, 12) != 0;
    for (uint32_t kind = 0; kind < SIM_KINDS; kind++) {
        sim->odds_submit[kind] = config__odds(rng, kind == SIM_DISCONNECT ? 8192 : 1024);
    }
    sim->odds_completion = config__odds(rng, 1024);
    sim->odds_refused = config__odds(rng, 16384);
    sim->odds_setup = config__odds(rng, 2048);
    sim->odds_short = config__odds(rng, 32768);
    sim->odds_lazy = rng_below(rng, 3) * 24000;
    sim->odds_slow = config__odds(rng, 32768);
    sim->odds_fd_lost = config__odds(rng, 32768);
}

static void config__engine(engine_options_t *engine, rng_t *rng)
{
    static const io_addr_t anywhere = {.version = 4};
    engine->address = &anywhere;
    engine->accept_pool = 1 + rng_below(rng, 6);
    engine->accept_pool_max = engine->accept_pool + rng_below(rng, 12);
    engine->cooling_max = rng_below(rng, 4);
    engine->max_connections = rng_below(rng, 3) == 0 ? 1 + rng_below(rng, 8) : UINT64_MAX;
    engine->read_size = 8u << rng_below(rng, 5);
    engine->write_high = 16u << rng_below(rng, 6);
    engine->write_low = engine->write_high / (1 + rng_below(rng, 4));
    engine->write_limit = rng_below(rng, 2) == 0 ? UINT64_MAX : engine->write_high * 4;
    engine->recycle = rng_below(rng, 12) != 0;
}

void config_framing(framing_t *framing, framing_kind_t kind, rng_t *rng)
{
    framing->kind = kind;
    framing->little = rng_below(rng, 2) == 0;
    framing->prefix = 1u << rng_below(rng, 16) / 13;
    framing->length = 1 + rng_below(rng, 40);
    memcpy(framing->delimiter, "ab", 2);
    framing->delimiter_len = 1 + rng_below(rng, 8) / 7;
    if (kind == FRAMING_LENGTH_FIELD) {
        framing->prefix = rng_below(rng, 4) == 0 ? 3 : framing->prefix;
        framing->offset = rng_below(rng, 4);
        framing->strip = rng_below(rng, 10);
        framing->adjust = (int64_t)rng_below(rng, 20) - 10;
    }
    if (kind == FRAMING_FIXED) {
        framing->max_length = framing->length;
        framing->prefix = 0;
    }
}

/* A third of the worlds have messages. Their clients' bytes are noise, so that faults are common.
 */
static void config__framing(framing_t *framing, rng_t *rng)
{
    static const uint32_t prefixes[] = {1, 1, 1, 2, 4, 8};
    framing->max_length = 1 + rng_below(rng, 300);
    framing->little = rng_below(rng, 2) == 0;
    switch (rng_below(rng, 9)) {
    case 0:
        framing->kind = FRAMING_LINES;
        framing->delimiter_len = 1 + rng_below(rng, 8) / 7;
        framing->delimiter[0] = 'a';
        framing->delimiter[1] = 'b';
        framing->max_length *= 4;
        break;
    case 1:
        framing->kind = FRAMING_LENGTH_PREFIX;
        framing->prefix = prefixes[rng_below(rng, sizeof prefixes / sizeof prefixes[0])];
        break;
    case 2:
        framing->kind = FRAMING_FIXED;
        framing->length = 1 + rng_below(rng, 40);
        framing->max_length = framing->length;
        break;
    default:
        break;
    }
}

/* Some of the prefixes stand in a header. From numbers of its own. */
static void config__field(framing_t *framing, const plan_t *plan)
{
    rng_t apart = {.state = rng_mix(plan->seed ^ 0xF1E1u)};
    if (framing->kind == FRAMING_LENGTH_PREFIX && rng_below(&apart, 2) != 0) {
        config_framing(framing, FRAMING_LENGTH_FIELD, &apart);
    }
}

/* From shorter than the manager's tick to longer than clients and callbacks think. */
static uint64_t config__timeout_ns(const world_config_t *config, rng_t *rng)
{
    uint64_t think_ns = config->think_ns < NS_PER_MS ? NS_PER_MS : config->think_ns;
    uint64_t draw = rng_next(rng);
    return rng_below(rng, 3) == 0 ? 1 + draw % (4 * think_ns) : 0;
}

static void config__timeouts(world_config_t *config, rng_t *rng)
{
    config->engine.first_byte_timeout_ns = config__timeout_ns(config, rng);
    config->engine.login_timeout_ns = config__timeout_ns(config, rng);
    config->engine.idle_timeout_ns = config__timeout_ns(config, rng);
}

static void config__linger(world_config_t *config, const plan_t *plan)
{
    rng_t apart = {.state = rng_mix(plan->seed ^ 0x11E6u)};
    config->engine.linger_ns = 5 * NS_PER_MS << rng_below(&apart, 14);
    config->sim.tells_acks = rng_below(&apart, 3) != 0;
    config->engine.ip_prefix_4 = 32;
    config->engine.ip_prefix_6 = 128;
    if (config->engine.framing.kind != FRAMING_NONE) {
        config->engine.message_timeout_ns = config__timeout_ns(config, &apart);
    }
}

/* In a third of the worlds a cancel may bring nothing, or too much. */
static void config__cancels(sim_config_t *sim, const plan_t *plan)
{
    rng_t apart = {.state = rng_mix(plan->seed ^ 0xCA9Cu)};
    if (rng_below(&apart, 3) == 0) {
        sim->odds_cancel_ignored = config__odds(&apart, 65536);
        sim->odds_cancel_aborts = config__odds(&apart, 32768);
        sim->odds_cancel_later = config__odds(&apart, 16384);
    }
}

void config_make(world_config_t *config, const plan_t *plan, rng_t *rng)
{
    memset(config, 0, sizeof *config);
    config__engine(&config->engine, rng);
    config__sim(&config->sim, rng);
    config->recycling = rng_below(rng, 12) == 0 ? RECYCLING_UNSUPPORTED : RECYCLING_VERIFIED;
    config->workers = 1 + rng_below(rng, WORKERS_MAX);
    config->clients_max = 1 + rng_below(rng, rng_below(rng, 4) == 0 ? CLIENTS_MAX : 8);
    config->burst_max = 1 + rng_below(rng, config->clients_max);
    config->steps = 500 + rng_below(rng, 4000);
    config->odds_preempt = rng_below(rng, 4) * 2000;
    config->odds_alloc = config__odds(rng, 512);
    config->odds_slow_call = config__odds(rng, 32768);
    config->odds_act = 8192u << rng_below(rng, 3);
    config->odds_end = 1024u << rng_below(rng, 6);
    config->whims = 16u << rng_below(rng, 6);
    config->think_ns = 1000ull << rng_below(rng, 24);
    config->manager_late_ns = rng_below(rng, 3) == 0 ? 1000000ull << rng_below(rng, 14) : 1000000;
    if (rng_below(rng, 8) == 0) {
        /* A world of minutes and hours: clients come now and then, and TIME_WAIT matters. */
        config->think_ns = 60 * NS_PER_S;
        config->manager_late_ns = 4 * NS_PER_S;
        config->odds_slow_call = 0;
    }
    /* From numbers of its own: worlds without broadcasts go on as they did. */
    rng_t other = {.state = rng_mix(plan->seed + BROADCAST_MARK)};
    config->odds_broadcast = rng_below(&other, 2) == 0 ? 0 : 16u << rng_below(&other, 5);
    config->drain_ns = rng_below(rng, 3) == 0 ? 0 : NS_PER_MS << rng_below(rng, 18);
    config->stops_again = rng_below(rng, 4) == 0;
    rng_t apart = {.state = rng_mix(plan->seed ^ 0xF4A3u)};
    config__framing(&config->engine.framing, &apart);
    config__field(&config->engine.framing, plan);
    apart.state = rng_mix(plan->seed ^ 0x71AEu);
    config__timeouts(config, &apart);
    config->sim.hosts = 1 + rng_below(&apart, 8);
    config__linger(config, plan);
    config->engine.max_connections_per_ip =
        rng_below(&apart, 3) == 0 ? 1 + rng_below(&apart, 4) : 0;
    apart.state = rng_mix(plan->seed ^ 0x5BA2u);
    config->engine.spare_max = rng_below(&apart, 4) == 0 ? rng_below(&apart, 8) : SPARE_ENOUGH;
    config->engine.quiet_ns = 100 * NS_PER_MS << rng_below(&apart, 8);
    config__cancels(&config->sim, plan);
    if (plan->calm) {
        config->sim =
            (sim_config_t){.seed = config->sim.seed, .hosts = config->sim.hosts, .reuse = true};
        config->odds_alloc = 0;
        config->recycling = RECYCLING_VERIFIED;
        config->engine.recycle = true;
    }
    if (plan->steps != 0) {
        config->steps = plan->steps;
    }
    config->sim.submit_fail_at = plan->fail_submit;
    config->sim.submit_fail_error = plan->fail_submit_error;
}
