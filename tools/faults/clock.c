/* A clock that jumps by CLOCK_JUMP seconds (a number in the environment) at every 100th look at it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long looks;

static long ahead(void)
{
    const char *jump = getenv("CLOCK_JUMP");
    return (++looks / 100 % 2) && jump ? atol(jump) : 0;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(which, now);
    if (!code && which == CLOCK_REALTIME)
        now->tv_sec += ahead();
    return code;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
