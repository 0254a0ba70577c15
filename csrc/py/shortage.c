/* shortage.c: the look at accepts that cannot be posted. */
#include "shortage.h"

/* While it lasts there is a new one every 50 ms: when none has come for so long, it is over. */
#define OVER_NS 1000000000u

/* So often it is told that it lasts. */
#define LASTS_NS 60000000000u

static shortage_news_t tell(shortage_t *shortage, uint64_t now_ns, shortage_news_t news)
{
    shortage->told = shortage->seen - shortage->counted;
    shortage->counted = shortage->seen;
    shortage->news_ns = now_ns;
    shortage->lasts = news != SHORTAGE_OVER;
    return news;
}

shortage_news_t shortage_look(shortage_t *shortage, engine_t *engine)
{
    uint64_t count = engine_shortages(engine, &shortage->error);
    bool more = count != shortage->seen;
    if (!more && !shortage->lasts) {
        return SHORTAGE_NO_NEWS;
    }
    uint64_t now_ns = engine_now_ns(engine);
    shortage->seen = count;
    shortage->last_ns = more ? now_ns : shortage->last_ns;
    if (!shortage->lasts) {
        shortage->since_ns = now_ns;
        return tell(shortage, now_ns, SHORTAGE_BEGINS);
    }
    if (now_ns - shortage->last_ns >= OVER_NS) {
        return tell(shortage, now_ns, SHORTAGE_OVER);
    }
    if (now_ns - shortage->news_ns >= LASTS_NS) {
        return tell(shortage, now_ns, SHORTAGE_LASTS);
    }
    return SHORTAGE_NO_NEWS;
}
