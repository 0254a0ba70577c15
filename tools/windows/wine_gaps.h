/* wine_gaps.h: what Windows' own headers declare and Wine's do not. For compile checks only. */
long long InterlockedExchange64(long long volatile *target, long long value);
long long InterlockedExchangeAdd64(long long volatile *target, long long value);
