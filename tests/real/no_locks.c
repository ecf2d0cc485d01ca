/* A file system that answers flock with the error NO_LOCKS (a number in the environment). */
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>

int flock(int descriptor, int operation)
{
    (void)descriptor;
    if (operation & LOCK_UN)
        return 0;
    errno = atoi(getenv("NO_LOCKS"));
    return -1;
}
