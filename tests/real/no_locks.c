/* A file system that answers flock, and locks by fcntl, with the error NO_LOCKS (a number in the environment). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>

static int refused(void)
{
    errno = atoi(getenv("NO_LOCKS"));
    return -1;
}

int flock(int descriptor, int operation)
{
    (void)descriptor, (void)operation; /* Lustre without locks refuses LOCK_UN as well */
    return refused();
}

static int control(const char *name, int descriptor, int command, void *argument)
{
    if (command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW)
        return refused();
    return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, name))(descriptor, command, argument);
}

#define CONTROL(name)                                    \
    int name(int descriptor, int command, ...)           \
    {                                                    \
        va_list rest;                                    \
        va_start(rest, command);                         \
        void *argument = va_arg(rest, void *);           \
        va_end(rest);                                    \
        return control(#name, descriptor, command, argument); \
    }

CONTROL(fcntl)
CONTROL(fcntl64)
