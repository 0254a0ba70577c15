/* fail.c: the line of JSON that tells why the generator ends. */
#include "fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fail(const char *what, int error)
{
    printf("{\"error\": \"%s%s%s\"}\n", what, error ? ": " : "", error ? strerror(error) : "");
    fflush(stdout);
    exit(3);
}
