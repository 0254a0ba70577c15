/* report.h: what the runs came to, for people. */
#ifndef IOCPREUSE_TESTS_SIM_REPORT_H
#define IOCPREUSE_TESTS_SIM_REPORT_H

#include "world.h"

void report_print(const totals_t *totals, double seconds);

/* How many rows of the life-cycle table no run has hit; they are printed. */
uint32_t report_missed_rows(const totals_t *totals);

#endif
